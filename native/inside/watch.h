/* Notices of freed code objects: the interpreter gives them under the GIL, the sampling thread reads them. */
#ifndef FOOTFALL_INSIDE_WATCH_H
#define FOOTFALL_INSIDE_WATCH_H

#include <stdint.h>

/* How many code objects freed between two samples can be recorded one by one; if there are more, all addresses are
 * forgotten. */
#define RING_SLOTS 4096u

/* One writer (who holds the GIL), one reader. */
typedef struct death_ring {
    _Atomic uint64_t head; /* code objects freed so far; stored with release after the slot */
    _Atomic uint64_t slots[RING_SLOTS];
} death_ring;

/* Both need the GIL. The first starts recording into `ring`. 0; -1 with an exception: another sampler is active, or no
 * watcher is free. */
int watch_code_start(death_ring *ring);
void watch_code_stop(void);

#endif

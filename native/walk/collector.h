/* Where in a stack the garbage collector runs. Plain C: no Python.h. It is C code: all that is known about it is a flag
 * of the interpreter and, in 3.15, the frame in which it began. */
#ifndef FOOTFALL_WALK_COLLECTOR_H
#define FOOTFALL_WALK_COLLECTOR_H

#include "walk/fields.h"
#include "walk/gil.h"
#include "walk/memory.h"
#include "walk/raw_frame.h"

/* Instead of a code object's address in a walked stack: the garbage collector, called by the next older frame, and
 * calling the next younger one (a finalizer), if there is one. */
#define MARK_COLLECTOR ((uint64_t)16)

#define MAX_COLLECTOR_SPANS 2
/* Three generations' counts, of three words each, and an int. */
#define COLLECTOR_STATE_BYTES 76u

/* One interpreter's collector. The caller sets the first two fields, the others are internal. */
typedef struct collector_watch {
    uint64_t interp; /* 0: the collector is not watched */
    uint64_t gil_address; /* of the GIL's words */
    unsigned char gil[GIL_BYTES]; /* as read with the last stack */
    unsigned char state[COLLECTOR_STATE_BYTES]; /* read with the last stack: counts of collections and whether one
                                                   runs, or (3.15) the frame that it runs in */
    /* Before 3.15: the last collection that was seen. */
    uint64_t number; /* the number of collections before it */
    uint64_t thread; /* 0 = none was seen, or it has ended */
    uint64_t frame; /* where it was first seen */
    uint64_t instr;
    int is_lost; /* its place is unknown: it was seen in a function that it called, or another thread was taken for
                  * its own */
} collector_watch;

/* The spans to read before a stack, in the same call. Returns their number. */
int collector_spans(collector_watch *watch, const walk_offsets *offsets, memory_span *spans);

/* The index in the walked stack of `thread`, leaf first, at which the collector runs; n_frames if it does not. */
uint32_t collector_place(collector_watch *watch, const walk_offsets *offsets, uint64_t thread, const raw_frame *frames,
                         uint32_t n_frames);

#endif

/* The flags of a code unit's hits; model.py says what they mean. */
#ifndef FOOTFALL_ENGINES_HITS_H
#define FOOTFALL_ENGINES_HITS_H

#define HIT_LINE 1
#define HIT_LEFT 2
#define HIT_RIGHT 4
#define HIT_RAISE 8
#define HIT_ASYNC_STOP 16
#define HIT_UNWIND 32
#define HIT_RESUMED 64

#endif

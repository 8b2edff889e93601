/* A frame of a walked stack. Plain C: no Python.h. */
#ifndef FOOTFALL_WALK_RAW_FRAME_H
#define FOOTFALL_WALK_RAW_FRAME_H

#include <stdint.h>

typedef struct raw_frame {
    uint64_t address; /* of the frame itself; 0 for a mark */
    uint64_t code;    /* address of the code object, or a mark of walk/collector.h */
    uint64_t instr;   /* address of the instruction (one unit before it if instr_is_before) */
} raw_frame;

#endif

/* layouts.c lists the versions whose layout is known. Written by tools/new_python.py; do not edit. */
#include "walk/layouts/layout.h"

extern const version_layout layout_3_11, layout_3_12, layout_3_13, layout_3_14, layout_3_15;

const version_layout *
find_layout(uint32_t version)
{
    switch (version >> 16) {
    case 0x030B:
        return &layout_3_11;
    case 0x030C:
        return &layout_3_12;
    case 0x030D:
        return &layout_3_13;
    case 0x030E:
        return &layout_3_14;
    case 0x030F:
        return &layout_3_15;
    default:
        return NULL;
    }
}

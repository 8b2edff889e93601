#include "engines/frames.h"

#include "compat/versions.h"
#include "walk/offsets.h"

#include <dlfcn.h>

int
frame_layout_find(frame_layout *layout)
{
    const memory_source memory = {.pid = MEMORY_DIRECT};
    walk_offsets offsets;
    const void *runtime = dlsym(RTLD_DEFAULT, "_PyRuntime");
    if (runtime == NULL
        || walk_find_offsets(&memory, (uint64_t)(uintptr_t)runtime, PY_VERSION_HEX, &offsets) != WALK_OK) {
        PyErr_SetString(PyExc_RuntimeError, "the layout of this interpreter is not known");
        return -1;
    }
    layout->previous = offsets.frame_previous;
    layout->owner = offsets.frame_owner;
    return 0;
}

#if HAS_SHIM_FRAMES

struct _PyInterpreterFrame *
frame_caller(const frame_layout *layout, struct _PyInterpreterFrame *frame)
{
    struct _PyInterpreterFrame *previous;
    memcpy(&previous, (const char *)frame + layout->previous, sizeof previous);
    return previous;
}

struct _PyInterpreterFrame *
frame_with_code(const frame_layout *layout, struct _PyInterpreterFrame *frame)
{
    while (frame != NULL && ((const unsigned char *)frame)[layout->owner] >= OWNER_SHIM_FIRST) {
        frame = frame_caller(layout, frame);
    }
    return frame;
}

#endif

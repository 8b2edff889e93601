/* inside/watch.c owns the notification that a code object is freed, so that its address, when reused, never gets the
 * wrong name. Binding C. Neither of CPython's two notifications carries data of ours, hence the two variables at file
 * scope: one ring is active per process, that of the main interpreter's sampler. The GIL guards them. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "inside/watch.h"
#include "compat/versions.h"

#include <stdatomic.h>

static death_ring *active_ring; /* borrowed; NULL if none is active */

static void
record_death(const void *code)
{
    death_ring *ring = active_ring;
    if (ring == NULL) {
        return;
    }
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    atomic_store_explicit(&ring->slots[head % RING_SLOTS], (uint64_t)(uintptr_t)code, memory_order_relaxed);
    /* Pairs with the sampler's acquire load: a reader of the new head also sees the slot. */
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    /* Pairs with the fence in inside/code_deaths.c: a reader of what is stored in the object's memory later also sees
     * that it was freed. */
    atomic_thread_fence(memory_order_release);
}

#if HAS_CODE_WATCHERS

static int watcher_id = -1;

static int
on_code_event(PyCodeEvent event, PyCodeObject *code)
{
    if (event == PY_CODE_EVENT_DESTROY) {
        record_death(code);
    }
    return 0;
}

static int
add_watch(void)
{
    watcher_id = PyCode_AddWatcher(on_code_event);
    return watcher_id < 0 ? -1 : 0;
}

static void
remove_watch(void)
{
    /* An error means that there is no such watcher any more, which is the aim. */
    if (watcher_id >= 0 && PyCode_ClearWatcher(watcher_id) < 0) {
        PyErr_Clear();
    }
    watcher_id = -1;
}

#else

/* 3.11 has no watchers: the type's deallocator is wrapped. Comparing the object's fields instead is not enough: a
 * program that compiles and drops code in a loop also gets the same addresses for its names and tables. */
static destructor original_dealloc;

static void
dealloc_code(PyObject *code)
{
    record_death(code);
    original_dealloc(code);
}

static int
add_watch(void)
{
    if (PyCode_Type.tp_dealloc != dealloc_code) {
        original_dealloc = PyCode_Type.tp_dealloc;
        PyCode_Type.tp_dealloc = dealloc_code;
    }
    return 0;
}

static void
remove_watch(void)
{
    /* If somebody who wrapped it after us still calls us, it stays, and does nothing. */
    if (PyCode_Type.tp_dealloc == dealloc_code) {
        PyCode_Type.tp_dealloc = original_dealloc;
    }
}

#endif

int
watch_code_start(death_ring *ring)
{
    if (active_ring != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "a sampler runs in this process already");
        return -1;
    }
    if (add_watch() < 0) {
        return -1;
    }
    active_ring = ring;
    return 0;
}

void
watch_code_stop(void)
{
    active_ring = NULL;
    remove_watch();
}

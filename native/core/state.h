/* The only struct of module state. Each .c file owns one member and documents it there. Lock order: none nested; the
 * GIL guards all of it except what inside/inside.c documents. */
#ifndef FOOTFALL_CORE_STATE_H
#define FOOTFALL_CORE_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define MAX_ENGINES 3

typedef struct module_state {
    struct recorder *recorder; /* owned; recorder.c: the open record file, NULL when off */
    struct monitoring *monitoring; /* owned; monitoring.c */
    struct probes *probes; /* owned; probes.c */
    struct settrace *settrace; /* owned; settrace.c */
    struct sampler *sampler; /* owned; inside/inside.c */
    struct sample_contexts *sample_contexts; /* borrowed from the sampler, NULL without one: contexts.c updates it */
    PyObject *context_variable; /* owned; contexts.c: the ContextVar with a thread's or task's label, NULL at first */
    PyObject *sample_label; /* owned; contexts.c: the label of samples that are taken now, NULL at first */
    struct context_thread *context_threads; /* owned list; engines/thread_contexts.c: threads that began in a context */
    struct function_contexts
        *function_contexts; /* owned; engines/function_contexts.c: NULL when functions begin no contexts */
    PyTypeObject *traced_frames_type; /* owned; engines/file_tracers/frames.c */
    PyTypeObject *traced_callback_type; /* owned; engines/file_tracers/callbacks.c */
    PyTypeObject *stand_in_type; /* owned; core/program_starts.c */
    Py_ssize_t code_events_slot; /* engines/code_extra.h: for the engine on sys.monitoring */
    Py_ssize_t traced_code_slot; /* for the engine on settrace */
    Py_ssize_t armed_code_slot; /* for the tool for plugins' files */
    uint32_t n_starts; /* starts of engines: tells what an earlier engine has left in a slot from the present one's */
    const struct engine_functions *engines[MAX_ENGINES]; /* engines/engine.h: the engines of this version */
    int n_engines;
} module_state;

static inline module_state *
get_state(PyObject *module)
{
    return (module_state *)PyModule_GetState(module);
}

#endif

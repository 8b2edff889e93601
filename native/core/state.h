/* The one struct of module state. Each .c file owns one member and documents it there.
 * Lock order: none nested; the GIL guards all of it except what sampler/inside.c documents. */
#ifndef FOOTFALL_CORE_STATE_H
#define FOOTFALL_CORE_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

typedef struct module_state {
    struct recorder *recorder; /* owned; recorder.c: the open record file, NULL when off */
    struct monitoring *monitoring; /* owned; monitoring.c */
    struct probes *probes; /* owned; probes.c */
    struct settrace *settrace; /* owned; settrace.c */
    struct sampler *sampler; /* owned; sampler/inside.c */
    PyObject *context_variable; /* owned; contexts.c: the ContextVar with a thread's or task's label, NULL at first */
    PyObject *sample_label; /* owned; contexts.c: of the samples that are taken now, NULL at first */
    struct carried_thread *carried; /* owned list; engines/thread_contexts.c: threads that began in a context */
    PyTypeObject *stand_in_type; /* owned; core/program_starts.c */
} module_state;

static inline module_state *
get_state(PyObject *module)
{
    return (module_state *)PyModule_GetState(module);
}

/* One exec function for each .c file that adds functions or types to the module. */
int recorder_exec(PyObject *module);
int monitoring_exec(PyObject *module);
int probes_exec(PyObject *module);
int settrace_exec(PyObject *module);
int children_exec(PyObject *module);
int sampler_exec(PyObject *module);
int contexts_exec(PyObject *module);
int remote_exec(PyObject *module);
int room_exec(PyObject *module);
int unseen_exec(PyObject *module);

/* Members visited by the garbage collector and freed with the module, in struct order. */
int monitoring_traverse(module_state *state, visitproc visit, void *arg);
void monitoring_clear(module_state *state);
int probes_traverse(module_state *state, visitproc visit, void *arg);
void probes_clear(module_state *state);
int settrace_traverse(module_state *state, visitproc visit, void *arg);
void settrace_clear(module_state *state);
int contexts_traverse(module_state *state, visitproc visit, void *arg);
void contexts_clear(module_state *state);
int children_traverse(module_state *state, visitproc visit, void *arg);
void children_clear(module_state *state);
void recorder_free(module_state *state);
void sampler_free(module_state *state);

#endif

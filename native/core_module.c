/* core_module.c defines footfall._core and its life cycle; each .c file's *_exec function adds what it offers. There is
 * no state outside module_state except what inside/watch.c, sampler/precise.c and engines/probes/removed.c describe,
 * which belongs to the main interpreter. */
#include "core/state.h"

#include "compat/versions.h"
#include "core/program_starts.h"
#include "core/room.h"
#include "core/unseen.h"
#include "engines/contexts.h"
#include "engines/engine.h"
#include "engines/file_tracers/evaluation.h"
#include "engines/file_tracers/frames.h"
#include "engines/file_tracers/monitoring.h"
#include "engines/function_contexts.h"
#include "engines/monitoring/monitoring.h"
#include "engines/probes/captures/blocks.h"
#include "engines/probes/captures/capture_functions.h"
#include "engines/probes/hooks.h"
#include "engines/probes/probes.h"
#include "engines/probes/recoding.h"
#include "engines/settrace/settrace.h"
#include "engines/settrace/tool.h"
#include "engines/thread_contexts.h"
#include "record/phase_times.h"
#include "record/recorder.h"
#include "remote/remote.h"
#include "inside/inside.h"

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state *state = get_state(module);
    int status = contexts_traverse(state, visit, arg);
    Py_VISIT(state->traced_frames_type);
    Py_VISIT(state->traced_callback_type);
    if (status == 0) {
        status = function_contexts_traverse(state, visit, arg);
    }
    for (int i = 0; status == 0 && i < state->n_engines; i++) {
        status = state->engines[i]->traverse(state, visit, arg);
    }
    return status != 0 ? status : children_traverse(state, visit, arg);
}

static int
module_clear(PyObject *module)
{
    module_state *state = get_state(module);
    function_contexts_clear(state);
    for (int i = 0; i < state->n_engines; i++) {
        state->engines[i]->clear(state);
    }
    contexts_clear(state);
    Py_CLEAR(state->traced_frames_type);
    Py_CLEAR(state->traced_callback_type);
    children_clear(state);
    return 0;
}

static void
module_free(void *module)
{
    module_state *state = get_state((PyObject *)module);
    module_clear((PyObject *)module);
    thread_contexts_free(state);
    sampler_free(state);
    recorder_free(state);
}

PyDoc_STRVAR(is_main_interpreter_doc, "is_main_interpreter($module, /)\n--\n\n"
                                      "Whether this is the process's first interpreter.");

static PyObject *
is_main_interpreter(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(PyInterpreterState_Get() == PyInterpreterState_Main());
}

static PyMethodDef module_methods[] = {
    {"is_main_interpreter", is_main_interpreter, METH_NOARGS, is_main_interpreter_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, recorder_exec},
    {Py_mod_exec, phase_times_exec},
    {Py_mod_exec, monitoring_exec},
    {Py_mod_exec, probes_exec},
    {Py_mod_exec, capture_functions_exec},
    {Py_mod_exec, recoding_exec},
    {Py_mod_exec, probes_hooks_exec},
    {Py_mod_exec, blocks_exec},
    {Py_mod_exec, settrace_exec},
    {Py_mod_exec, settrace_tool_exec},
    {Py_mod_exec, traced_frames_exec},
    {Py_mod_exec, traced_frames_monitoring_exec},
    {Py_mod_exec, traced_frames_evaluation_exec},
    {Py_mod_exec, children_exec},
    {Py_mod_exec, sampler_exec},
    {Py_mod_exec, contexts_exec},
    {Py_mod_exec, function_contexts_exec},
    {Py_mod_exec, remote_exec},
    {Py_mod_exec, room_exec},
    {Py_mod_exec, unseen_exec},
#if HAS_INTERPRETER_GILS
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef core_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "footfall._core",
    .m_doc = "The part of footfall that runs inside the measured process.",
    .m_size = sizeof(module_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&core_module);
}

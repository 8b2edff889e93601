/* file_tracers/sources.c owns what is known about a plugin's files and their sources, and records what ran of these:
 * each pair of lines once in each context. It does not call plugins. Threads: everything needs the GIL. */
#include "engines/file_tracers/sources.h"

#include "engines/context_labels.h"
#include "record/recorder.h"

traced_source *
traced_source_new(traced_file *file, PyObject *path)
{
    traced_source *source = PyMem_Calloc(1, sizeof *source);
    if (source == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    source->file = file;
    source->path = Py_NewRef(path);
    source->next = file->first;
    file->first = source;
    return source;
}

/* Read a function of a plugin from an attribute. 0, or -1 with an exception. */
static int
read_function(PyObject *traced, const char *name, plugin_function *read)
{
    PyObject *found = PyObject_GetAttrString(traced, name); // owned
    if (found == NULL) {
        return -1;
    }
    if (PyMethod_Check(found)) {
        read->function = Py_NewRef(PyMethod_GET_FUNCTION(found));
        read->self = Py_NewRef(PyMethod_GET_SELF(found));
        Py_DECREF(found);
    }
    else {
        read->function = found;
    }
    return 0;
}

traced_file *
traced_file_new(PyObject *traced)
{
    traced_file *file = PyMem_Calloc(1, sizeof *file);
    if (file == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    PyObject *path = PyObject_GetAttrString(traced, "path"); // owned
    PyObject *sources = PyObject_GetAttrString(traced, "sources"); // owned
    file->is_on = 1;
    file->traced = Py_NewRef(traced);
    file->filename = PyObject_GetAttrString(traced, "filename");
    file->plugin = PyObject_GetAttrString(traced, "plugin");
    int is_made = path != NULL && sources != NULL && file->filename != NULL && file->plugin != NULL
                  && read_function(traced, "line_range", &file->line_range) == 0
                  && read_function(traced, "source_of", &file->source_of) == 0;
    if (is_made && sources != Py_None) {
        file->sources = PyDict_New();
        is_made = file->sources != NULL;
    }
    if (is_made && path != Py_None) {
        file->only = traced_source_new(file, path);
        is_made = file->only != NULL;
    }
    Py_XDECREF(path);
    Py_XDECREF(sources);
    if (!is_made) {
        traced_file_free(file);
        return NULL;
    }
    return file;
}

int
traced_file_traverse(const traced_file *file, visitproc visit, void *arg)
{
    Py_VISIT(file->traced);
    Py_VISIT(file->plugin);
    Py_VISIT(file->line_range.function);
    Py_VISIT(file->line_range.self);
    Py_VISIT(file->source_of.function);
    Py_VISIT(file->source_of.self);
    Py_VISIT(file->sources);
    return 0;
}

void
traced_file_free(traced_file *file)
{
    while (file->first != NULL) {
        traced_source *source = file->first;
        file->first = source->next;
        other_context_pairs_free(&source->pairs);
        Py_DECREF(source->path);
        PyMem_Free(source);
    }
    Py_XDECREF(file->traced);
    Py_XDECREF(file->filename);
    Py_XDECREF(file->plugin);
    Py_XDECREF(file->line_range.function);
    Py_XDECREF(file->line_range.self);
    Py_XDECREF(file->source_of.function);
    Py_XDECREF(file->source_of.self);
    Py_XDECREF(file->sources);
    PyMem_Free(file);
}

/* A forked child has a record of its own, which is empty. */
int
traced_source_note(module_state *state, traced_source *source)
{
    recorder *rec = state->recorder;
    if (rec == NULL || source->generation == rec->generation) {
        return 0;
    }
    PyObject *name = PyObject_GetAttrString(source->file->plugin, "name"); // owned
    if (name == NULL) {
        return -1;
    }
    other_context_pairs_free(&source->pairs);
    source->generation = rec->generation;
    int status = recorder_add_tracer(rec, source->path, name);
    Py_DECREF(name);
    return status;
}

void
traced_source_add(module_state *state, traced_source *source, int32_t from, int32_t to, int with_arcs)
{
    recorder *rec = state->recorder;
    if (rec == NULL || rec->generation != source->generation) {
        return; /* it began in another process than it continues in */
    }
    if (source->context_id != rec->context_id) {
        other_context_pairs_free(&source->pairs); /* a context uses memory as long as it lasts */
        source->context_id = rec->context_id;
    }
    uint32_t context_id = 0;
    if (!context_is_other(state, &context_id)) {
        context_id = rec->context_id;
    }
    uint64_t pair = pair_of(from, to);
    const other_context_pairs *latest = source->pairs;
    if (latest != NULL && latest->context_id == context_id && latest->generation == rec->generation
        && pair_set_has(&latest->pairs, pair)) {
        return;
    }
    if (pair != 0 && other_context_pairs_add(&source->pairs, context_id, rec->generation, from, to) != 0) {
        recorder_add_trace_pairs(rec, source->path, source->path, &pair, 1, 1, with_arcs ? TRACE_HAS_ARCS : 0,
                                 context_id);
    }
}

void
traced_file_switch_off(module_state *state, traced_file *file)
{
    file->is_on = 0;
    recorder *rec = state->recorder;
    PyObject *none = PyUnicode_New(0, 0); // owned
    for (traced_source *source = file->first; source != NULL && none != NULL; source = source->next) {
        if (rec != NULL && source->generation == rec->generation && recorder_add_tracer(rec, source->path, none) < 0) {
            PyErr_Clear(); /* no memory, or no room in the record, which reports that itself */
        }
    }
    Py_XDECREF(none);
    PyErr_Clear();
}

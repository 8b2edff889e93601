/* Code files that plugins of coverage.py measure, the sources that their frames run for, and what ran of these. */
#ifndef FOOTFALL_ENGINES_FILE_TRACERS_SOURCES_H
#define FOOTFALL_ENGINES_FILE_TRACERS_SOURCES_H

#include "core/state.h"

#include "engines/other_context_events.h"

#include <stdint.h>

typedef struct traced_source {
    struct traced_source *next; /* of the same code file */
    struct traced_file *file; /* borrowed */
    PyObject *path; /* owned: str */
    other_context_pairs *pairs; /* owned list: what was recorded, by context */
    uint32_t generation; /* the recorder's when the source was recorded */
    uint32_t context_id; /* the process's when `pairs` began */
} traced_source;

/* A function of a plugin. A bound method is kept in its parts, which are called as the method would be. */
typedef struct plugin_function {
    PyObject *function; /* owned */
    PyObject *self; /* owned: its first argument; NULL if it is not a method */
} plugin_function;

/* Call it with one or two arguments, `second` NULL if it takes one: a new reference, or NULL with an exception. */
static inline PyObject *
plugin_function_call(const plugin_function *called, PyObject *first, PyObject *second)
{
    PyObject *arguments[] = {NULL, called->self, first, second};
    size_t n = second == NULL ? 1 : 2;
    return called->self == NULL
               ? PyObject_Vectorcall(called->function, arguments + 2, n | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL)
               : PyObject_Vectorcall(called->function, arguments + 1, (n + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}

/* The contents of a TracedFile (observe/file_tracers/files.py), which do not change, except whether the plugin is
 * on. */
typedef struct traced_file {
    struct traced_file *next;
    PyObject *traced; /* owned: the TracedFile */
    PyObject *filename; /* owned */
    PyObject *plugin; /* owned */
    plugin_function line_range; /* frame -> (first, last) */
    plugin_function source_of; /* (filename, frame) -> name | None */
    PyObject *sources; /* owned: dict name -> address of a source, 0 if it is not measured; NULL: all frames have one */
    traced_source *only; /* borrowed: that one, NULL if it is not measured */
    traced_source *first; /* owned list */
    int is_on;
} traced_file;

/* NULL with an exception. */
traced_file *traced_file_new(PyObject *traced);
int traced_file_traverse(const traced_file *file, visitproc visit, void *arg);
void traced_file_free(traced_file *file);

/* A source of the file; NULL with an exception. */
traced_source *traced_source_new(traced_file *file, PyObject *path);

/* Record the source in this process's record, if that was not done yet. -1 with an exception. */
int traced_source_note(module_state *state, traced_source *source);

/* Record a pair of lines, as in a TRACE entry, that is new in its context. */
void traced_source_add(module_state *state, traced_source *source, int32_t from, int32_t to, int with_arcs);

/* The plugin of the file has failed: discard what was recorded. Sets no exception. */
void traced_file_switch_off(module_state *state, traced_file *file);

#endif

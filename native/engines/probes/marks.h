/* Marks among the constants of instrumented code (probes/forms.py). All need the GIL and set no exceptions. */
#ifndef FOOTFALL_ENGINES_PROBES_MARKS_H
#define FOOTFALL_ENGINES_PROBES_MARKS_H

#include "core/state.h"

/* How the mark of a module's first probe begins. */
#define MODULE_MARK "\0footfall module "
#define DIGEST_BYTES 16
#define MAX_NESTING 200 /* of code objects; the compiler allows fewer */

/* The module's header mark among the constants of its code; borrowed, NULL when it has none. */
PyObject *marks_find_header(PyCodeObject *code);

/* Replace the mark by `events` in the constants of `code` and of all code inside it; call it with `depth` 0. */
void marks_replace(PyCodeObject *code, PyObject *events, int depth);

/* Read the header mark's parts. 0, or -1 if it is not one. */
int marks_read_header(PyObject *header, unsigned *mode, unsigned *n_probes, unsigned char *digest);

#endif

/* Greenlets: stacks of the program that wait while others run in their thread, of which nobody tells. */
#ifndef FOOTFALL_ENGINES_GREENLETS_H
#define FOOTFALL_ENGINES_GREENLETS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Return whether stacks may be set aside and continue later, unseen by the interpreter. An exception that is set stays. */
int has_greenlets(void);

#endif

/* One look at a process, as Python objects. Python.h comes before this. */
#ifndef FOOTFALL_REMOTE_LOOKS_H
#define FOOTFALL_REMOTE_LOOKS_H

#include "core/sampler_thread.h"
#include "walk/tasks.h"

/* The lanes' threads, as RemoteSampler.stacks() returns them: a new reference. */
PyObject *remote_build_threads(sampler *s);

/* As RemoteSampler.stacks_and_tasks() returns them: a new reference. */
PyObject *remote_build_threads_and_tasks(sampler *s, task_reader *reader);

#endif

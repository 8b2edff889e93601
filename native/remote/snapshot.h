/* What a process does at one moment, as Python objects. Include Python.h before this. */
#ifndef FOOTFALL_REMOTE_SNAPSHOT_H
#define FOOTFALL_REMOTE_SNAPSHOT_H

#include "sampler/sampler.h"
#include "walk/tasks.h"

/* Add what the selected interpreter, whose id is given, does to the lists that RemoteSampler.stacks() and, with a
 * reader, stacks_and_tasks() return. -1 with an exception. */
int remote_add_snapshot(sampler *s, uint64_t interpreter, task_reader *reader, PyObject *threads, PyObject *tasks);

#endif

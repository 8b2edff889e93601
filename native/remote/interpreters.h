/* The interpreters of a process that is sampled from outside. Plain C: no Python.h. */
#ifndef FOOTFALL_REMOTE_INTERPRETERS_H
#define FOOTFALL_REMOTE_INTERPRETERS_H

#include "remote/target.h"

#define MAX_INTERPRETERS 1024u

/* Begin with the interpreter in s->interpreter.address, which may be 0. 0; -1 without memory. */
int remote_open_interpreters(sampler *s);
/* Free them, and their lanes. */
void remote_close_interpreters(sampler *s);

/* Update the target's views. If the list cannot be read whole, they stay as they are. Returns a number that changes
 * when an interpreter comes or goes, or when one reports that a code object was freed in it (3.14 and later). */
uint64_t remote_find_interpreters(sampler *s);
/* Select the interpreter with this number: the sampler's interpreter fields become this one's. */
void remote_select(sampler *s, uint32_t number);

/* Sample the threads of all interpreters. A thread that has several states gives one sample. */
void remote_sample_interpreters(sampler *s, uint64_t now_ns);
/* Let a new lane continue in the log where another lane of the same thread is. Return whether there is one. */
int remote_adopt_thread(const sampler *s, thread_lane *lane);

/* Read the CPU clock of the lane's thread. Return whether it did not run since its last sample, so that it is still at
 * the same place. */
int remote_has_waited(thread_lane *lane, uint64_t now_ns, int holds_gil, uint64_t *cpu_ns);

#endif

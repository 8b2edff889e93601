/* The interpreters of a process that is sampled from outside. Plain C: no Python.h. */
#ifndef FOOTFALL_REMOTE_INTERPRETERS_H
#define FOOTFALL_REMOTE_INTERPRETERS_H

#include "remote/target.h"

#define MAX_INTERPRETERS 1024u

/* Begin with the interpreter in s->interpreter.address, which may be 0. 0; -1 without memory. */
int remote_open_interpreters(sampler *s);
/* Free them, and their lanes. */
void remote_close_interpreters(sampler *s);

/* Bring the target's views up to date. What cannot be read whole leaves them as they are. Returns a number that changes
 * when an interpreter comes or goes, or when one says that a code object of it died (3.14 and later). */
uint64_t remote_find_interpreters(sampler *s);
/* Look at the interpreter of this number: what the sampler knows of an interpreter becomes this one's. */
void remote_select(sampler *s, uint32_t number);

/* Look at the threads of all interpreters. A thread that has several states gives one sample. */
void remote_sample_interpreters(sampler *s, uint64_t now_ns);
/* Have a new lane go on in the log where another lane of the same thread is. Whether there is one. */
int remote_adopt_thread(const sampler *s, thread_lane *lane);

/* Look at the CPU clock of the lane's thread. Whether it did not run since its last sample, and is where it was. */
int remote_has_waited(thread_lane *lane, uint64_t now_ns, int holds_gil, uint64_t *cpu_ns);

#endif

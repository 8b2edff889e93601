/* Which process is sampled: what differs between this one (inside/source.c) and another one (remote/source.c). The
 * sampler calls these functions, and knows neither. Plain C: no Python.h. */
#ifndef FOOTFALL_SAMPLER_SAMPLER_SOURCE_H
#define FOOTFALL_SAMPLER_SAMPLER_SOURCE_H

#include "sampler/sampler.h"

typedef void interpreter_visit(sampler *s, uint64_t now_ns);

typedef struct sampler_source {
    /* Called on the sampling thread when it begins, before its first tick. */
    void (*begin)(sampler *s);
    /* Called before a tick, which came `late_ns` after it was due, and after it; the latter returns whether sampling
     * continues. */
    void (*before_tick)(sampler *s, uint64_t now_ns, uint64_t late_ns);
    int (*after_tick)(sampler *s);

    /* CPU clock of the process. */
    clockid_t (*cpu_clock)(const sampler *s);
    /* Return whether the process is, as far as is known, still the same one; the second function checks it now. */
    int (*goes_on)(const sampler *s);
    int (*is_there)(sampler *s);
    /* Whether time without a readable stack still counts for its thread: not if the process may be gone. */
    int logs_unreadable;

    /* Return whether s->interpreter is the only one. */
    int (*has_one_interpreter)(const sampler *s);
    /* Sample the threads of all interpreters. */
    void (*sample_threads)(sampler *s, uint64_t now_ns);
    /* Call `visit` with each interpreter in s->interpreter and s->threads. */
    void (*visit_interpreters)(sampler *s, interpreter_visit *visit, uint64_t now_ns);

    /* Fill in what a new lane needs from the kernel: name, clock, its number in the log. */
    void (*open_lane)(sampler *s, thread_lane *lane);
    /* Read the thread's present name, "" if it is not known. Returns the id to log it with. */
    uint64_t (*read_name)(const sampler *s, const thread_lane *lane, char name[MAX_THREAD_NAME]);
    /* Read the thread's CPU clock. Return whether it did not run since its last sample, so that it is still at the same
     * place. */
    int (*has_waited)(const sampler *s, thread_lane *lane, uint64_t now_ns, uint64_t *cpu_ns);

    /* Read what the kernel says of the thread's system call (/proc/PID/task/TID/syscall). 0; -1 if it does not tell, or if
     * the process's threads do not wait for the GIL in the way that sampler/gil.c expects. */
    int (*read_call)(const sampler *s, thread_lane *lane, char *text, size_t size);
    /* Return whether the thread's CPU clock has advanced since has_waited has read it, so that it runs. */
    int (*is_on_cpu)(const sampler *s, const thread_lane *lane);

    /* Called before a stack is walked, and after that, before its frames are looked up in the log's tables. */
    void (*before_walk)(sampler *s);
    void (*after_walk)(sampler *s);
    /* Return the log's entry of the code object at an address that the current walk has read. */
    walk_status (*find_code)(sampler *s, uint64_t address, const code_entry **entry);
    /* Erase an entry whose code object no longer exists. */
    void (*check_code)(sampler *s, code_entry *entry);
} sampler_source;

#endif

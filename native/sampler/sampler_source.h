/* Which process is sampled: what differs between this one (inside/source.c) and another
 * (remote/source.c). The sampler calls these functions, and knows neither. Plain C: no Python.h. */
#ifndef FOOTFALL_SAMPLER_SAMPLER_SOURCE_H
#define FOOTFALL_SAMPLER_SAMPLER_SOURCE_H

#include "sampler/sampler.h"

typedef void interpreter_visit(sampler *s, uint64_t now_ns);

typedef struct sampler_source {
    /* The sampling thread begins: called on it, before its first tick. */
    void (*begin)(sampler *s);
    /* Before a tick, which came `late_ns` after it was due; and after it: whether sampling goes on. */
    void (*before_tick)(sampler *s, uint64_t now_ns, uint64_t late_ns);
    int (*after_tick)(sampler *s);

    /* CPU clock of the process. */
    clockid_t (*cpu_clock)(const sampler *s);
    /* Whether the process is as far as is known the one that it was; and whether it is, asked now. */
    int (*goes_on)(const sampler *s);
    int (*is_there)(sampler *s);
    /* Where what can't be read is time of its thread all the same: not where the process may be gone. */
    int logs_unreadable;

    /* Whether s->interpreter is the only one. */
    int (*has_one_interpreter)(const sampler *s);
    /* Sample the threads of all interpreters. */
    void (*sample_threads)(sampler *s, uint64_t now_ns);
    /* Call `visit` with each interpreter in s->interpreter and s->threads. */
    void (*visit_interpreters)(sampler *s, interpreter_visit *visit, uint64_t now_ns);

    /* Fill what a new lane needs of the kernel: name, clock, its number in the log. */
    void (*open_lane)(sampler *s, thread_lane *lane);
    /* Read the thread's present name, "" where it is not known. Returns the id to log it with. */
    uint64_t (*read_name)(const sampler *s, const thread_lane *lane, char name[MAX_THREAD_NAME]);
    /* Look at the thread's CPU clock. Whether it did not run since its last sample, and is where it was. */
    int (*has_waited)(const sampler *s, thread_lane *lane, uint64_t now_ns, uint64_t *cpu_ns);

    /* A stack is about to be walked; it was, and its frames are about to be looked up in the log's tables. */
    void (*before_walk)(sampler *s);
    void (*after_walk)(sampler *s);
    /* The log's entry of the code object at an address, which was read by the walk that is under way. */
    walk_status (*find_code)(sampler *s, uint64_t address, const code_entry **entry);
    /* Erase an entry whose code object is there no more. */
    void (*check_code)(sampler *s, code_entry *entry);
} sampler_source;

#endif

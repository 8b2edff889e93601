/* sampler/gil.c tells whether a thread waits for the GIL, and whether it is asleep.
 *
 * CPython has no list of the threads that wait. One that takes the GIL sleeps in a futex call whose word is within the
 * GIL's structure, and the kernel reports a thread's system call and its arguments. It wakes up every 5 ms to request the
 * GIL from its holder, and is not seen asleep then; but it can't leave without the GIL, so it still waits as long as the
 * GIL did not go to it. The GIL counts how often it went to another thread. That also saves the call for most samples of
 * waiting threads. 3.15 has a field in the thread state in addition.
 *
 * While another thread holds the GIL, one that the kernel does not let run yet may be on its way to the GIL, or not: that is
 * not known. */
#include "sampler/gil.h"

#include "sampler/sampler_source.h"

#include <stdlib.h>
#include <sys/syscall.h>

/* In _gil_runtime_state, from last_holder on: cond and mutex, on which a thread that takes the GIL sleeps, then
 * switch_cond and switch_mutex, on which one sleeps that has given it up on request, until another has got it. */
#define COND_AT GIL_BYTES
#define TAKING_BYTES (sizeof(pthread_cond_t) + sizeof(pthread_mutex_t))

#define CALL_TEXT_BYTES 256

typedef enum thread_call {
    CALL_UNKNOWN, /* the kernel does not tell */
    CALL_NONE, /* it runs, or would if there were a CPU for it */
    CALL_OTHER, /* it sleeps, but not on the GIL */
    CALL_TAKES_GIL,
    CALL_GAVE_GIL,
} thread_call;

/* Return what the thread does in the kernel. */
static thread_call
find_call(const sampler *s, thread_lane *lane)
{
    char text[CALL_TEXT_BYTES];
    if (s->source->read_call(s, lane, text, sizeof text) < 0) {
        return CALL_UNKNOWN;
    }
    char *rest;
    long number = strtol(text, &rest, 10);
    if (rest == text) {
        return CALL_NONE; /* "running" */
    }
    /* a futex call that a stop of the process has interrupted goes on as restart_syscall, with the same arguments */
    if (number != SYS_futex && number != SYS_restart_syscall) {
        return CALL_OTHER;
    }
    uint64_t word = strtoull(rest, NULL, 16);
    uint64_t first = s->interpreter.gil_address + COND_AT;
    if (word < first || word >= first + 2 * TAKING_BYTES) {
        return CALL_OTHER;
    }
    return word < first + TAKING_BYTES ? CALL_TAKES_GIL : CALL_GAVE_GIL;
}

/* Return whether the GIL has certainly not gone to the thread since it was seen taking it. */
static int
still_takes(const sampler *s, const thread_lane *lane)
{
    uint64_t switches = s->threads.gil.switches - lane->gil.switches;
    return lane->gil.is_taking && (switches == 0 || (switches == 1 && s->threads.gil.last != lane->thread));
}

static uint16_t
find_flags(const sampler *s, thread_lane *lane)
{
    if (lane->gil.is_requested || still_takes(s, lane)) {
        return SAMPLE_TELLS_WAITING | SAMPLE_WAITS_FOR_GIL | SAMPLE_IS_ASLEEP;
    }
    thread_call call = find_call(s, lane);
    lane->gil.is_taking = call == CALL_TAKES_GIL;
    int needs_cpu = call == CALL_NONE && s->threads.gil.holder != 0 && !s->source->is_on_cpu(s, lane);
    if (call == CALL_UNKNOWN || needs_cpu) {
        return 0;
    }
    uint16_t waits = call == CALL_TAKES_GIL || call == CALL_GAVE_GIL ? SAMPLE_WAITS_FOR_GIL : 0;
    return SAMPLE_TELLS_WAITING | waits | (call == CALL_NONE ? 0 : SAMPLE_IS_ASLEEP);
}

uint16_t
sampler_gil_flags(sampler *s, thread_lane *lane, int has_waited)
{
    lane_gil *gil = &lane->gil;
    if (lane->thread == s->threads.gil.holder) {
        gil->is_taking = 0;
        gil->flags = SAMPLE_HOLDS_GIL | SAMPLE_TELLS_WAITING;
    }
    else if (s->threads.skip_native_id != 0) {
        gil->flags = 0; /* the fallback's thread holds the GIL when it looks: others wait for it then, not for long */
    }
    else if (!has_waited || (gil->flags & (SAMPLE_HOLDS_GIL | SAMPLE_TELLS_WAITING)) != SAMPLE_TELLS_WAITING) {
        gil->flags = find_flags(s, lane);
    }
    gil->switches = s->threads.gil.switches;
    return gil->flags;
}

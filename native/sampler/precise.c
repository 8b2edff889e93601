/* sampler/precise.c owns the signal that stops a thread at one instruction to walk its own stack. Nothing changes while
 * the stack is read, so the leaf is the instruction that ran: exact where the default mode has skid.
 *
 * The handler only does what is allowed in one: system calls, loads, and stores to memory that exists already. One
 * thread is asked at a time, and the sampling thread waits for its answer, so there is one request. It is at file scope
 * because a handler gets no data of ours, and because a signal may arrive after its sampler has ended: the memory that
 * it accesses must then still exist. */
#include "sampler/precise.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A runnable thread answers when it gets a CPU; one that blocks the signal never does. */
#define ANSWER_NS 5000000l
#define MAX_UNANSWERED 3u
#define LOOK_AGAIN 32u /* every so many walks after that: whether it still blocks the signal */

enum { IDLE, ASKED, WALKING, ANSWERED };

typedef struct stack_request {
    _Atomic uint32_t state;
    pid_t native_id; /* the thread that is asked: a signal from elsewhere is not an answer */
    thread_lane *lane; /* its lane */
    stack_walker *walker;
    c_stack *stack; /* NULL: not wanted */
    walk_status status;
} stack_request;

/* Written by the sampling thread while IDLE; read by the handler between its two changes of `state`. */
static stack_request request;

/* Walk the stack of the thread that we are on, and copy its C stack if that is wanted. */
static void
walk_own_stack(const void *context)
{
    thread_lane *lane = request.lane;
    stack_walker *walker = request.walker;
    c_stack *stack = request.stack;
    if (stack != NULL) {
        c_stack_expect(stack, walker, context, lane->c_stack_limit);
    }
    request.status = stack_walk(walker, lane->thread, &lane->guess);
    if (request.status == WALK_UNREADABLE && walker->n_extra != 0) { /* it has changed to another stack since */
        c_stack_expect(stack, walker, context, 0);
        request.status = stack_walk(walker, lane->thread, &lane->guess);
    }
    walker->n_extra = 0;
    if (stack != NULL && request.status == WALK_OK) {
        c_stack_take(stack, walker);
        lane->c_stack_limit = stack->is_taken ? stack->end : 0;
    }
}

static void
on_signal(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    int error = errno;
    uint32_t asked = ASKED;
    /* Acquires what the sampling thread wrote before the request. */
    if (atomic_compare_exchange_strong_explicit(&request.state, &asked, WALKING, memory_order_acquire,
                                                memory_order_relaxed)) {
        if (request.native_id == (pid_t)syscall(SYS_gettid)) {
            walk_own_stack(context);
        }
        else {
            request.status = WALK_UNKNOWN;
        }
        /* Pairs with the acquire in take_answer. */
        atomic_store_explicit(&request.state, ANSWERED, memory_order_release);
        syscall(SYS_futex, &request.state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
    errno = error;
}

static int
is_ours(int number)
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_signal;
}

int
precise_open(sampler *s)
{
    struct sigaction ours = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigfillset(&ours.sa_mask);
    /* Programs use the last two and the first few. */
    for (int number = SIGRTMAX - 2; number > SIGRTMIN + 2; number--) {
        struct sigaction now;
        if (sigaction(number, NULL, &now) < 0) {
            continue;
        }
        int is_free = (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_DFL;
        if ((is_free || is_ours(number)) && sigaction(number, &ours, NULL) == 0) {
            atomic_store_explicit(&request.state, IDLE, memory_order_relaxed);
            s->precise.signal = number;
            s->precise.memory = (memory_source){.pid = s->memory.pid};
            s->walker.source = &s->precise.memory;
            s->precise.is_on = 1;
            return 0;
        }
    }
    errno = EBUSY;
    return -1;
}

void
precise_close(sampler *s)
{
    s->precise.is_on = 0;
}

static void
report_taken(const sampler *s)
{
    char line[256];
    int size = snprintf(line, sizeof line,
                        "footfall: the program handles signal %d itself now: the profile goes on without --precise. "
                        "[precise-signal-taken]\n",
                        s->precise.signal);
    int stream = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
    if (size > 0 && write(stream, line, (size_t)size) < 0) {
        size = 0; /* there is no stderr to report it on */
    }
    if (stream >= 0) {
        close(stream);
    }
}

/* Return whether a thread blocks a signal; 1 if that can't be read. */
static int
blocks_signal(pid_t native_id, int number)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)native_id);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0) {
        close(file);
    }
    text[got > 0 ? got : 0] = '\0';
    const char *blocked = strstr(text, "\nSigBlk:");
    return blocked == NULL || (strtoull(blocked + 8, NULL, 16) >> (number - 1) & 1) != 0;
}

/* Wait for the answer; withdraw the request if none comes. */
static walk_status
take_answer(void)
{
    const struct timespec patience = {0, ANSWER_NS};
    for (;;) {
        uint32_t state = atomic_load_explicit(&request.state, memory_order_acquire);
        if (state == ANSWERED) {
            break;
        }
        long waited = syscall(SYS_futex, &request.state, FUTEX_WAIT_PRIVATE, state, &patience, NULL, 0);
        uint32_t asked = ASKED;
        if (waited < 0 && errno == ETIMEDOUT
            && atomic_compare_exchange_strong_explicit(&request.state, &asked, IDLE, memory_order_relaxed,
                                                       memory_order_relaxed)) {
            return WALK_UNKNOWN;
        }
    }
    atomic_store_explicit(&request.state, IDLE, memory_order_relaxed);
    return request.status;
}

walk_status
precise_walk(sampler *s, thread_lane *lane)
{
    if (lane->n_unanswered >= MAX_UNANSWERED) {
        if (++lane->n_unanswered % LOOK_AGAIN != 0 || blocks_signal((pid_t)lane->native_id, s->precise.signal)) {
            return WALK_UNKNOWN;
        }
        lane->n_unanswered = 0;
    }
    if (!is_ours(s->precise.signal)) {
        precise_close(s);
        report_taken(s);
        return WALK_UNKNOWN;
    }
    request.native_id = (pid_t)lane->native_id;
    request.lane = lane;
    request.walker = &s->walker;
    request.stack = s->native.is_on ? &s->native.stack : NULL;
    /* Pairs with the handler's acquire. */
    atomic_store_explicit(&request.state, ASKED, memory_order_release);
    if (syscall(SYS_tgkill, s->pid, (pid_t)lane->native_id, s->precise.signal) < 0) {
        atomic_store_explicit(&request.state, IDLE, memory_order_relaxed);
        return WALK_UNREADABLE; /* it has ended */
    }
    walk_status status = take_answer();
    if (status != WALK_UNKNOWN) {
        lane->n_unanswered = 0;
    }
    else if (lane->n_unanswered != 0 || blocks_signal((pid_t)lane->native_id, s->precise.signal)) {
        lane->n_unanswered++;
    }
    return status;
}

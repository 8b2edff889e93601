/* inside/source.c is sampling of the process that we are in: its clocks can be read, and it gives notice of freed code
 * objects. */
#include "inside/source.h"

#include "inside/asyncio.h"
#include "record/clocks.h"
#include "inside/code_deaths.h"
#include "sampler/lanes.h"
#include "sampler/samples.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* the same on every machine */
#endif
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2u
#endif
#define CPU_ID_OFFSET 4 /* in struct rseq */
/* Linux: a thread's CPU clock as a clockid_t (include/linux/posix-timers.h: CPUCLOCK_SCHED, per thread). */
#define CPU_CLOCK_OF(native_id) ((clockid_t)(~(uint32_t)(native_id) << 3 | 6u))

/* Leave the program's table of file descriptors for an empty one of our own (Linux 5.9), and open a window in it
 * through which this thread reads memory: a program that closes descriptors it did not open does not close ours. */
static int
open_window(sampler *s)
{
    if (syscall(SYS_close_range, 0u, ~0u, CLOSE_RANGE_UNSHARE) < 0) {
        return -1;
    }
    return memory_window_open(&s->memory);
}

/* Return where the kernel keeps the CPU number of each thread; nowhere before glibc 2.35. */
static int64_t
find_rseq(void)
{
    const int64_t *offset = dlsym(RTLD_DEFAULT, "__rseq_offset");
    const unsigned int *size = dlsym(RTLD_DEFAULT, "__rseq_size");
    return offset == NULL || size == NULL || *size == 0 ? 0 : *offset + CPU_ID_OFFSET;
}

static void
begin(sampler *s)
{
    open_window(s);
    s->follow.rseq_offset = find_rseq();
    s->thread.last_thread = (last_thread_watch){monotonic_ns() + LAST_THREAD_CHECK_NS, 0, 0};
}

static void
before_tick(sampler *s, uint64_t now_ns, uint64_t late_ns)
{
    (void)late_ns;
    inside_look_for_tasks(s, now_ns);
}

static int
after_tick(sampler *s)
{
    (void)s;
    return 1;
}

static clockid_t
cpu_clock(const sampler *s)
{
    (void)s;
    return CLOCK_PROCESS_CPUTIME_ID;
}

static int
goes_on(const sampler *s)
{
    (void)s;
    return 1;
}

static int
is_there(sampler *s)
{
    (void)s;
    return 1;
}

/* Only the main interpreter of a process is sampled. */
static int
has_one_interpreter(const sampler *s)
{
    (void)s;
    return 1;
}

static void
sample_threads(sampler *s, uint64_t now_ns)
{
    if (sampler_find_threads(s) != WALK_OK) {
        s->log.n[COUNT_UNREADABLE]++;
        return;
    }
    sampler_sample_lanes(s, now_ns);
}

static void
visit_interpreters(sampler *s, interpreter_visit *visit, uint64_t now_ns)
{
    visit(s, now_ns);
}

static void
read_thread_name(uint64_t native_id, char name[MAX_THREAD_NAME])
{
    char path[64];
    name[0] = '\0';
    snprintf(path, sizeof path, "/proc/self/task/%lu/comm", (unsigned long)native_id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    ssize_t got = read(fd, name, MAX_THREAD_NAME - 1);
    close(fd);
    got = got > 0 && name[got - 1] == '\n' ? got - 1 : got;
    name[got > 0 ? got : 0] = '\0';
}

static void
open_lane(sampler *s, thread_lane *lane)
{
    read_thread_name(lane->native_id, lane->name);
    lane->index = sample_log_add_thread(&s->log, lane->native_id, lane->name);
    lane->clock = CPU_CLOCK_OF(lane->native_id);
}

static uint64_t
read_name(const sampler *s, const thread_lane *lane, char name[MAX_THREAD_NAME])
{
    (void)s;
    read_thread_name(lane->native_id, name);
    return lane->native_id;
}

/* A thread that runs without the GIL is asked each time, so its file stays open if our table of files is our own. */
static int
read_call(const sampler *s, thread_lane *lane, char *text, size_t size)
{
#ifdef __GLIBC__
    if (lane->call_file < 0) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/task/%lu/syscall", (unsigned long)lane->native_id);
        lane->call_file = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (lane->call_file < 0) {
        return -1;
    }
    ssize_t got = pread(lane->call_file, text, size - 1, 0);
    if (s->memory.window == NULL) {
        close(lane->call_file);
        lane->call_file = -1;
    }
    text[got > 0 ? got : 0] = '\0';
    return got > 0 ? 0 : -1;
#else
    (void)s, (void)lane, (void)text, (void)size;
    return -1; /* musl's threads wait for a condition variable at words of their own */
#endif
}

static int
is_on_cpu(const sampler *s, const thread_lane *lane)
{
    (void)s;
    struct timespec now;
    return clock_gettime(lane->clock, &now) == 0
           && (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec > lane->cpu_ns;
}

static int
has_waited(const sampler *s, thread_lane *lane, uint64_t now_ns, uint64_t *cpu_ns)
{
    (void)now_ns;
    struct timespec now;
    *cpu_ns = clock_gettime(lane->clock, &now) < 0 ? lane->cpu_ns /* it has ended */
                                                   : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    return s->pace.has_fine_clock && lane->is_settled && *cpu_ns == lane->cpu_ns;
}

static walk_status
find_code(sampler *s, uint64_t address, const code_entry **entry)
{
    *entry = sample_log_find_code(&s->log, address);
    if (*entry != NULL) {
        return WALK_OK;
    }
    walk_status status =
        code_names_read(&s->memory, &s->interpreter.offsets, address, s->interpreter.code_type, &s->names);
    if (status != WALK_OK) {
        return status;
    }
    if (inside_has_died(s, address)) {
        return WALK_UNREADABLE; /* not logged: its names may have been read from reused memory */
    }
    *entry = sample_log_add_code(&s->log, address, &s->names);
    return *entry != NULL ? WALK_OK : WALK_NO_MEMORY;
}

static void
check_code(sampler *s, code_entry *entry)
{
    (void)entry;
    inside_apply_deaths(s);
}

const sampler_source inside_source = {
    .begin = begin,
    .before_tick = before_tick,
    .after_tick = after_tick,
    .cpu_clock = cpu_clock,
    .goes_on = goes_on,
    .is_there = is_there,
    .logs_unreadable = 1,
    .has_one_interpreter = has_one_interpreter,
    .sample_threads = sample_threads,
    .visit_interpreters = visit_interpreters,
    .open_lane = open_lane,
    .read_name = read_name,
    .read_call = read_call,
    .is_on_cpu = is_on_cpu,
    .has_waited = has_waited,
    .before_walk = inside_before_walk,
    .after_walk = inside_apply_deaths,
    .find_code = find_code,
    .check_code = check_code,
};

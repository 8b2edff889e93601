/* remote/source.c is sampling of another process: it must notice what that process does not report, and the process may
 * be gone. */
#include "remote/source.h"

#include "remote/code.h"
#include "remote/interpreters.h"
#include "remote/pause.h"

#include <errno.h>

/* After this many ticks without any reading, the interpreter no longer exists. */
#define MAX_FAILED_TICKS 50u
#define LOOK_EVERY_TICKS 256u
#define LATE_NS 200000000u

static void
begin(sampler *s)
{
    s->thread.last_thread.next_ns = UINT64_MAX; /* the other process is kept alive by its own threads, not by ours */
}

static void
before_tick(sampler *s, uint64_t now_ns, uint64_t late_ns)
{
    remote_target *target = remote_target_of(s);
    target->samples_before = s->log.n[COUNT_SAMPLES];
    target->failures_before = s->log.n[COUNT_UNREADABLE];
    if ((late_ns > LATE_NS || s->log.n[COUNT_TICKS] % LOOK_EVERY_TICKS == 0) && !remote_is_alive(target)) {
        target->end = REMOTE_GONE; /* another process has the pid now */
        return;
    }
    target->tick_ns = now_ns;
    if (target->pauses && remote_pause(target->pid) < 0 && errno == EPERM) {
        target->end = REMOTE_FORBIDDEN;
    }
    uint64_t generation = remote_find_interpreters(s);
    int reports_deaths = s->interpreter.offsets.interp_code_generation != 0;
    if (generation != target->generation || (!reports_deaths && now_ns - target->checked_all_ns > CODE_DOUBT_NS)) {
        target->generation = generation;
        target->checked_all_ns = now_ns;
        s->log.generation++; /* makes remembered stacks be looked up again */
    }
}

static int
after_tick(sampler *s)
{
    remote_target *target = remote_target_of(s);
    if (target->pauses) {
        remote_resume();
    }
    if (target->end != REMOTE_GOES_ON) {
        return 0;
    }
    if (s->log.n[COUNT_SAMPLES] != target->samples_before || s->log.n[COUNT_UNREADABLE] == target->failures_before) {
        target->failed_in_row = 0;
        return 1;
    }
    target->failed_in_row++;
    if (!remote_is_alive(target)) {
        target->end = REMOTE_GONE;
    }
    else if (target->failed_in_row > MAX_FAILED_TICKS) {
        target->end = REMOTE_LOST;
    }
    if (target->end != REMOTE_GOES_ON) {
        /* These ticks had nothing to read. */
        s->log.n[COUNT_UNREADABLE] -= target->failed_in_row;
        return 0;
    }
    return 1;
}

static clockid_t
cpu_clock(const sampler *s)
{
    return remote_target_of(s)->clock;
}

static int
goes_on(const sampler *s)
{
    return remote_target_of(s)->end == REMOTE_GOES_ON;
}

static int
is_there(sampler *s)
{
    remote_target *target = remote_target_of(s);
    if (!remote_is_alive(target)) {
        target->end = REMOTE_GONE;
        return 0;
    }
    return 1;
}

static int
has_one_interpreter(const sampler *s)
{
    return remote_target_of(s)->n_views == 1;
}

static void
visit_interpreters(sampler *s, interpreter_visit *visit, uint64_t now_ns)
{
    for (uint32_t i = 0; i < remote_target_of(s)->n_views; i++) {
        remote_select(s, i);
        visit(s, now_ns);
    }
}

static void
open_lane(sampler *s, thread_lane *lane)
{
    const remote_target *target = remote_target_of(s);
    pid_t task = (pid_t)lane->native_id;
    int clock_file = target->has_own_pids ? -1 : remote_open_clock(target, task);
    if (clock_file < 0) {
        task = remote_find_task(target, lane->native_id);
        clock_file = task != 0 ? remote_open_clock(target, task) : -1;
    }
    if (task != 0) {
        remote_read_thread_name(target, task, lane->name);
    }
    lane->task = task;
    lane->clock_file = clock_file;
    if (remote_adopt_thread(s, lane)) {
        return;
    }
    if (sample_log_is_open(&s->log) && s->log.counters != NULL) {
        lane->index = sample_log_add_thread(&s->log, task != 0 ? (uint64_t)task : lane->native_id, lane->name);
    }
}

static uint64_t
read_name(const sampler *s, const thread_lane *lane, char name[MAX_THREAD_NAME])
{
    if (lane->task == 0) {
        return lane->native_id;
    }
    remote_read_thread_name(remote_target_of(s), lane->task, name);
    return (uint64_t)lane->task;
}

static int
read_call(const sampler *s, thread_lane *lane, char *text, size_t size)
{
    return lane->task != 0 && remote_read_call(remote_target_of(s), lane->task, text, size) ? 0 : -1;
}

/* The clock that can be read of another process's thread advances too rarely to tell. */
static int
is_on_cpu(const sampler *s, const thread_lane *lane)
{
    (void)s;
    (void)lane;
    return 0;
}

static int
has_waited(const sampler *s, thread_lane *lane, uint64_t now_ns, uint64_t *cpu_ns)
{
    return remote_has_waited(lane, now_ns, lane->thread == s->threads.gil.holder, cpu_ns);
}

/* There are no notifications of freed code objects. */
static void
before_walk(sampler *s)
{
    (void)s;
}

static void
after_walk(sampler *s)
{
    (void)s;
}

/* Known code objects are checked instead. */
static walk_status
find_code(sampler *s, uint64_t address, const code_entry **entry)
{
    code_entry *found = sample_log_find_code(&s->log, address);
    *entry = found;
    if (found != NULL && remote_is_same_code(s, found)) {
        return WALK_OK;
    }
    uint64_t header;
    walk_status status = remote_read_code(s, address, &header);
    if (status != WALK_OK) {
        return status;
    }
    *entry = found = sample_log_add_code(&s->log, address, &s->names);
    if (found == NULL) {
        return WALK_NO_MEMORY;
    }
    remote_note_code(s, found, header);
    return WALK_OK;
}

static void
check_code(sampler *s, code_entry *entry)
{
    remote_is_same_code(s, entry);
}

const sampler_source remote_source = {
    .begin = begin,
    .before_tick = before_tick,
    .after_tick = after_tick,
    .cpu_clock = cpu_clock,
    .goes_on = goes_on,
    .is_there = is_there,
    .logs_unreadable = 0,
    .has_one_interpreter = has_one_interpreter,
    .sample_threads = remote_sample_interpreters,
    .visit_interpreters = visit_interpreters,
    .open_lane = open_lane,
    .read_name = read_name,
    .read_call = read_call,
    .is_on_cpu = is_on_cpu,
    .has_waited = has_waited,
    .before_walk = before_walk,
    .after_walk = after_walk,
    .find_code = find_code,
    .check_code = check_code,
};

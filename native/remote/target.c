/* target.c owns the life of a process that is sampled from outside, and its threads as the kernel reports them. */
#include "remote/target.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* the same on every machine */
#endif
/* Linux: a process's CPU clock as a clockid_t (include/linux/posix-timers.h: CPUCLOCK_SCHED). */
#define CPU_CLOCK_OF(pid) ((clockid_t)(~(uint32_t)(pid) << 3 | 2u))
#define MAX_STATUS_BYTES 4096
/* The clock of another process's thread advances at the scheduler's ticks, 100 to 1,000 a second, while the thread
 * runs. */
#define TICK_NS 12000000u

/* Return whether a process has loaded musl, a C library. */
static int
has_musl(int proc)
{
    int file = openat(proc, "maps", O_RDONLY | O_CLOEXEC);
    FILE *maps = file < 0 ? NULL : fdopen(file, "r");
    char *line = NULL;
    size_t room = 0;
    int is_found = 0;
    while (maps != NULL && !is_found && getline(&line, &room, maps) >= 0) {
        is_found = strstr(line, "/ld-musl-") != NULL;
    }
    free(line);
    if (maps != NULL) {
        fclose(maps);
    }
    else if (file >= 0) {
        close(file);
    }
    return is_found;
}

int
remote_target_open(remote_target *target, pid_t pid)
{
    char path[64];
    memset(target, 0, sizeof *target);
    target->pid = pid;
    target->pid_file = -1;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    target->proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target->proc < 0) {
        return -1;
    }
    target->pid_file = (int)syscall(SYS_pidfd_open, pid, 0u);
    target->clock = CPU_CLOCK_OF(pid);
    target->has_own_pids = remote_find_task(target, 0) != 0;
    target->has_musl = has_musl(target->proc);
    return 0;
}

void
remote_target_close(remote_target *target)
{
    if (target->proc >= 0) {
        close(target->proc);
    }
    if (target->pid_file >= 0) {
        close(target->pid_file);
    }
    target->proc = target->pid_file = -1;
}

int
remote_is_alive(const remote_target *target)
{
    struct pollfd ended = {target->pid_file, POLLIN, 0};
    if (target->pid_file >= 0) {
        return poll(&ended, 1, 0) <= 0;
    }
    return faccessat(target->proc, "stat", F_OK, 0) == 0;
}

/* Read a small file of /proc whole. Returns its length, 0 if it could not be read; the text ends with a NUL. */
static size_t
read_small(int directory, const char *path, char *text, size_t room)
{
    int file = openat(directory, path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    ssize_t got = read(file, text, room - 1);
    close(file);
    text[got > 0 ? got : 0] = '\0';
    return got > 0 ? (size_t)got : 0;
}

/* Read the ids of one thread, in our pid namespace and in its own, from the line NSpid of its status. Returns their
 * number. */
static int
read_task_ids(const remote_target *target, const char *name, uint64_t *here, uint64_t *there)
{
    char path[64], text[MAX_STATUS_BYTES];
    int n = 0;
    snprintf(path, sizeof path, "task/%.20s/status", name);
    if (read_small(target->proc, path, text, sizeof text) == 0) {
        return 0;
    }
    const char *at = strstr(text, "\nNSpid:");
    if (at == NULL) {
        return 0;
    }
    at += strlen("\nNSpid:");
    while (*at == '\t' || *at == ' ') {
        char *end;
        *there = strtoull(at, &end, 10);
        if (end == at) {
            break;
        }
        if (n++ == 0) {
            *here = *there;
        }
        at = end;
    }
    return n;
}

/* With native_id 0: not 0 if the process is in another pid namespace. */
pid_t
remote_find_task(const remote_target *target, uint64_t native_id)
{
    uint64_t here = 0, there = 0;
    int tasks = openat(target->proc, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = tasks >= 0 ? fdopendir(tasks) : NULL;
    if (list == NULL) {
        if (tasks >= 0) {
            close(tasks);
        }
        return 0;
    }
    pid_t found = 0, only = 0;
    int n_tasks = 0;
    for (struct dirent *entry; (entry = readdir(list)) != NULL && found == 0;) {
        if (!isdigit((unsigned char)entry->d_name[0])) {
            continue;
        }
        int n = read_task_ids(target, entry->d_name, &here, &there);
        n_tasks++;
        only = (pid_t)here;
        if (native_id == 0) {
            closedir(list);
            return n > 1;
        }
        if (n > 0 && there == native_id) {
            found = (pid_t)here;
        }
    }
    closedir(list);
    /* After a fork, CPython 3.11 leaves the parent's id in the state of the only thread. */
    return found == 0 && n_tasks == 1 ? only : found;
}

void
remote_read_thread_name(const remote_target *target, pid_t task, char name[MAX_THREAD_NAME])
{
    char path[64];
    snprintf(path, sizeof path, "task/%d/comm", (int)task);
    size_t got = read_small(target->proc, path, name, MAX_THREAD_NAME);
    if (got > 0 && name[got - 1] == '\n') {
        name[got - 1] = '\0';
    }
}

int
remote_read_call(const remote_target *target, pid_t task, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "task/%d/syscall", (int)task);
    return !target->has_musl && read_small(target->proc, path, text, size) > 0;
}

int
remote_open_clock(const remote_target *target, pid_t task)
{
    char path[64];
    snprintf(path, sizeof path, "task/%d/schedstat", (int)task);
    return openat(target->proc, path, O_RDONLY | O_CLOEXEC);
}

uint64_t
remote_lane_cpu_ns(thread_lane *lane, uint64_t now_ns, int *has_slept)
{
    char text[96];
    ssize_t got = lane->clock_file < 0 ? -1 : pread(lane->clock_file, text, sizeof text - 1, 0);
    *has_slept = 0;
    if (got <= 0) {
        return lane->cpu_ns; /* it has ended, or the kernel does not tell */
    }
    text[got] = '\0';
    char *end;
    uint64_t cpu_ns = strtoull(text, &end, 10);
    strtoull(end, &end, 10); /* skips the time in the run queue */
    uint64_t n_starts = strtoull(end, NULL, 10);
    if (cpu_ns != lane->cpu_ns || n_starts != lane->n_starts) {
        lane->n_starts = n_starts;
        lane->moved_ns = now_ns;
    }
    *has_slept = now_ns - lane->moved_ns > TICK_NS;
    return cpu_ns > lane->cpu_ns ? cpu_ns : lane->cpu_ns;
}

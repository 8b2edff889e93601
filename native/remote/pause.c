/* pause.c stops a process's threads while they are read: they are seized, stopped and released again at each tick
 * (PTRACE_SEIZE, Linux 3.4). So nothing has to be undone if we die: the kernel then releases them. ptrace belongs to a
 * thread: the same thread must call pause and resume. */
#include "remote/pause.h"

#include "record/clocks.h"
#include "walk/stack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_STOP_NS 20000000u
#define MAX_ROUNDS 3

typedef struct seized_task {
    pid_t id; /* 0: it has ended */
    int is_stopped;
    int signal; /* that was about to be delivered to it */
} seized_task;

static _Thread_local seized_task tasks[MAX_THREADS];
static _Thread_local int n_tasks;

static int
is_seized(pid_t id)
{
    for (int i = 0; i < n_tasks; i++) {
        if (tasks[i].id == id) {
            return 1;
        }
    }
    return 0;
}

/* Return whether a thread has ended: PTRACE_SEIZE returns EPERM for those too (kernel/ptrace.c, ptrace_attach). */
static int
has_ended(pid_t pid, pid_t id)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)pid, (int)id);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 1;
    }
    ssize_t got = read(file, text, sizeof text - 1);
    close(file);
    text[got > 0 ? got : 0] = '\0';
    const char *behind_name = strrchr(text, ')');
    return behind_name == NULL || strncmp(behind_name, ") Z", 3) == 0 || strncmp(behind_name, ") X", 3) == 0;
}

/* Seize the threads that are not seized yet. Returns their number, -1 with errno. */
static int
seize_new(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *list = opendir(path);
    if (list == NULL) {
        return -1;
    }
    int n = 0;
    int error = 0;
    for (struct dirent *entry; (entry = readdir(list)) != NULL && n_tasks < (int)MAX_THREADS;) {
        pid_t id = (pid_t)strtol(entry->d_name, NULL, 10);
        if (id <= 0 || is_seized(id)) {
            continue;
        }
        if (ptrace(PTRACE_SEIZE, id, NULL, NULL) < 0) {
            int reason = errno;
            error = reason != ESRCH && !has_ended(pid, id) ? reason : error;
            continue;
        }
        ptrace(PTRACE_INTERRUPT, id, NULL, NULL); /* fails if it is just ending: waiting for it tells */
        tasks[n_tasks++] = (seized_task){id, 0, 0};
        n++;
    }
    closedir(list);
    errno = error;
    return error != 0 ? -1 : n;
}

/* Wait until a task has stopped; one that does not in time is left running. */
static void
wait_for(seized_task *task)
{
    uint64_t start = monotonic_ns();
    int status = 0;
    while (task->id != 0 && !task->is_stopped && monotonic_ns() - start < MAX_STOP_NS) {
        pid_t got = waitpid(task->id, &status, __WALL | WNOHANG);
        if (got == 0) {
            sched_yield();
            continue;
        }
        if (got < 0 || !WIFSTOPPED(status)) {
            task->id = 0; /* it has ended */
            continue;
        }
        task->is_stopped = 1;
        task->signal = status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
    }
}

int
remote_pause(pid_t pid)
{
    for (int round = 0; round < MAX_ROUNDS; round++) {
        int n = seize_new(pid);
        if (n < 0 && errno != ESRCH) {
            int error = errno;
            remote_resume();
            errno = error;
            return -1;
        }
        for (int i = 0; i < n_tasks; i++) {
            wait_for(&tasks[i]);
        }
        if (n <= 0) {
            break;
        }
    }
    return 0;
}

void
remote_resume(void)
{
    int kept = 0;
    for (int i = 0; i < n_tasks; i++) {
        wait_for(&tasks[i]); /* a running task can't be released */
        if (tasks[i].id != 0 && tasks[i].is_stopped) {
            ptrace(PTRACE_DETACH, tasks[i].id, NULL, (void *)(uintptr_t)tasks[i].signal);
        }
        else if (tasks[i].id != 0) {
            tasks[kept++] = tasks[i];
        }
    }
    n_tasks = kept;
}

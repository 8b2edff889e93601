/* Stopping another process while it is read. Plain C: no Python.h. */
#ifndef FOOTFALL_REMOTE_PAUSE_H
#define FOOTFALL_REMOTE_PAUSE_H

#include <sys/types.h>

/* Stop all threads of a process, and let them continue. Only one thread may use it. 0; -1 with errno (EPERM: another
 * debugger is attached). Threads that could not be stopped in time keep running. */
int remote_pause(pid_t pid);
void remote_resume(void);

#endif

/* C stacks in the sample log. Plain C: no Python.h. Belongs to the sampling thread. */
#ifndef FOOTFALL_SAMPLER_NATIVE_FRAMES_RECORD_H
#define FOOTFALL_SAMPLER_NATIVE_FRAMES_RECORD_H

#include "sampler/sampler.h"

/* Have C stacks recorded; the walks must be precise. 0; -1 with errno (ENOTSUP: not on this machine). */
int native_frames_open(sampler *s);
void native_frames_close(sampler *s);

/* Before a walk: look whether the program has loaded more files. */
void native_frames_follow(sampler *s, uint64_t now_ns);
/* After a walk that was numbered: log the C stack that came with it, if code of the program's own files is on it. */
void native_frames_log(sampler *s, thread_lane *lane);

#endif

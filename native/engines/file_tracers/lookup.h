/* Which plugin's file a code object belongs to. */
#ifndef FOOTFALL_ENGINES_FILE_TRACERS_LOOKUP_H
#define FOOTFALL_ENGINES_FILE_TRACERS_LOOKUP_H

#include "engines/file_tracers/frames.h"

enum traced_answer { TRACED_IS_KNOWN, TRACED_IS_NONE, TRACED_IS_UNDECIDED, TRACED_HAS_FAILED };

/* Find out how a plugin measures code of a file, for a frame with these globals (borrowed, may be NULL). Sets the file if
 * it is known; an exception if this has failed. The first time it calls Python. */
enum traced_answer traced_files_find(traced_frames *frames, PyCodeObject *code, PyObject *globals, traced_file **file);

#endif

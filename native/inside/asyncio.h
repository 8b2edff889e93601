/* asyncio's tables in this process: they exist once the program has imported asyncio. */
#ifndef FOOTFALL_INSIDE_ASYNCIO_H
#define FOOTFALL_INSIDE_ASYNCIO_H

#include "sampler/sampler.h"

/* Called before a tick: if tasks are wanted and the tables are not known yet, looks for them now and then, and opens
 * them. */
void inside_look_for_tasks(sampler *s, uint64_t now_ns);

#endif

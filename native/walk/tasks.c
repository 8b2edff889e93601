/* tasks.c decodes asyncio's tasks and the coroutines that they run from raw memory. */
#include "walk/tasks.h"

#include "walk/memory.h"

#include <stdio.h>
#include <stdlib.h>

/* _Py_AsyncioModuleDebugOffsets: 64-bit words, the same in 3.14 and 3.15. */
enum debug_word {
    WORD_TASK_SIZE,
    WORD_TASK_NAME,
    WORD_TASK_AWAITED_BY,
    WORD_TASK_IS_TASK,
    WORD_TASK_AWAITED_BY_IS_SET,
    WORD_TASK_COROUTINE,
    WORD_TASK_NODE,
    WORD_INTERP_SIZE,
    WORD_INTERP_TASKS,
    WORD_THREAD_SIZE,
    WORD_THREAD_RUNNING_LOOP,
    WORD_THREAD_RUNNING_TASK,
    WORD_THREAD_TASKS,
    N_WORDS,
};

#define MAX_ASYNCIO_OFFSET (1u << 24) /* in the interpreter's and the thread's state */
#define NODE_BYTES 16u
#define FLAG_IS_LONG (1u << 24) /* tp_flags */
#define FLAG_IS_TEXT (1u << 28)
#define LONG_DIGIT_BITS 30
#define LONG_SIZE(tag) ((tag) >> 3)
#define LONG_SIGN(tag) ((tag) & 3u) /* 0 = positive */
#define FIRST_ROOM 64u
#define MAX_LOOPS 1024u
#define MAX_FRAME_ENTRIES (1u << 20)
/* In the argument of the instruction after a yield: it was that of an await or a yield from, if this is 2 or 3. */
#define RESUMES_AS(argument) ((argument) & 3)
#define RESUMES_AWAIT 2
/* How many futures, one waiting for the other, may be between a task and one that waits for it. */
#define MAX_FUTURES_DEPTH 8u

int
tasks_are_published(const walk_offsets *offsets)
{
    return find_object_layout(offsets->version) == NULL;
}

walk_status
task_reader_open(task_reader *reader, const memory_source *source, const walk_offsets *offsets, uint64_t runtime,
                 const task_tables *tables)
{
    uint64_t words[N_WORDS];
    memset(reader, 0, sizeof *reader);
    reader->source = source;
    reader->offsets = offsets;
    reader->tables = *tables;
    walk_status status = older_tasks_open(&reader->older, source, offsets, runtime);
    if (status != WALK_UNKNOWN) {
        reader->at = status == WALK_OK ? reader->older.objects.layout->coroutines : reader->at;
        return status;
    }
    status = walk_find_coroutine_offsets(source, runtime, offsets, &reader->at);
    if (status != WALK_OK) {
        return status;
    }
    if (memory_read(source, tables->debug, words, sizeof words) < 0) {
        return WALK_UNREADABLE;
    }
    uint64_t size = words[WORD_TASK_SIZE];
    if (size < NODE_BYTES || size > MAX_TASK_BYTES || words[WORD_INTERP_TASKS] > MAX_ASYNCIO_OFFSET
        || words[WORD_THREAD_RUNNING_TASK] > MAX_ASYNCIO_OFFSET || words[WORD_THREAD_TASKS] > MAX_ASYNCIO_OFFSET) {
        return WALK_UNKNOWN;
    }
    for (int i = WORD_TASK_NAME; i <= WORD_TASK_NODE; i++) {
        uint64_t last = size - (i == WORD_TASK_NODE ? NODE_BYTES : 8);
        if (i == WORD_TASK_IS_TASK || i == WORD_TASK_AWAITED_BY_IS_SET) {
            last = size - 1;
        }
        if (words[i] > last) {
            return WALK_UNKNOWN;
        }
    }
    reader->task_bytes = (uint32_t)size;
    reader->task_name = (uint32_t)words[WORD_TASK_NAME];
    reader->task_awaited_by = (uint32_t)words[WORD_TASK_AWAITED_BY];
    reader->task_is_task = (uint32_t)words[WORD_TASK_IS_TASK];
    reader->task_awaited_by_is_set = (uint32_t)words[WORD_TASK_AWAITED_BY_IS_SET];
    reader->task_coroutine = (uint32_t)words[WORD_TASK_COROUTINE];
    reader->task_node = (uint32_t)words[WORD_TASK_NODE];
    reader->interp_tasks = (uint32_t)words[WORD_INTERP_TASKS];
    reader->thread_running_task = (uint32_t)words[WORD_THREAD_RUNNING_TASK];
    reader->thread_tasks = (uint32_t)words[WORD_THREAD_TASKS];
    return WALK_OK;
}

void
task_reader_close(task_reader *reader)
{
    free(reader->frames);
    free(reader->tasks);
    memset(reader, 0, sizeof *reader);
}

static int
is_older(const task_reader *reader)
{
    return reader->older.objects.layout != NULL;
}

walk_status
task_running(task_reader *reader, uint64_t thread, uint64_t *task)
{
    *task = 0;
    if (is_older(reader)) {
        *task = older_tasks_find(&reader->older) == WALK_OK ? older_running_task(&reader->older, thread) : 0;
        return WALK_OK;
    }
    if (memory_read(reader->source, thread + reader->thread_running_task, task, sizeof *task) < 0) {
        return WALK_UNREADABLE;
    }
    return (*task & 7) == 0 ? WALK_OK : WALK_TORN;
}

walk_status
task_read(const task_reader *reader, uint64_t address, task_fields *task)
{
    unsigned char object[MAX_TASK_BYTES];
    if ((address & 7) != 0) {
        return WALK_TORN;
    }
    if (is_older(reader)) {
        return older_task_read(&reader->older, address, task);
    }
    memset(task, 0, sizeof *task);
    if (memory_read(reader->source, address, object, reader->task_bytes) < 0) {
        return WALK_UNREADABLE;
    }
    task->address = address;
    task->name = load_u64(object + reader->task_name);
    task->coroutine = load_u64(object + reader->task_coroutine);
    task->awaited_by = load_u64(object + reader->task_awaited_by);
    task->next = load_u64(object + reader->task_node + reader->at.list_next);
    task->previous = load_u64(object + reader->task_node + reader->at.list_previous);
    task->is_task = object[reader->task_is_task] != 0;
    task->is_awaited_by_set = object[reader->task_awaited_by_is_set] != 0;
    return WALK_OK;
}

static int
make_tasks_room(task_reader *reader)
{
    if (reader->n_tasks < reader->tasks_room) {
        return 0;
    }
    uint32_t room = reader->tasks_room != 0 ? reader->tasks_room * 2 : FIRST_ROOM;
    task_fields *tasks = realloc(reader->tasks, room * sizeof *tasks);
    if (tasks == NULL) {
        return -1;
    }
    reader->tasks = tasks;
    reader->tasks_room = room;
    return 0;
}

/* Read the list at `head`. */
static walk_status
read_list(task_reader *reader, uint64_t head)
{
    uint64_t at = 0;
    uint64_t previous = head;
    reader->n_tasks = 0;
    if (memory_read(reader->source, head + reader->at.list_next, &at, sizeof at) < 0) {
        return WALK_UNREADABLE;
    }
    while (at != head && at != 0) { /* 0: a thread state that is not initialized */
        if (reader->n_tasks == MAX_TASKS || at < reader->task_node) {
            return WALK_TORN;
        }
        if (make_tasks_room(reader) < 0) {
            return WALK_NO_MEMORY;
        }
        task_fields *task = &reader->tasks[reader->n_tasks];
        walk_status status = task_read(reader, at - reader->task_node, task);
        if (status != WALK_OK) {
            return status;
        }
        /* A task that has left the list, or whose memory has been reused, is not at its place. */
        if (!task->is_task || task->previous != previous) {
            return WALK_TORN;
        }
        reader->n_tasks++;
        previous = at;
        at = task->next;
    }
    return WALK_OK;
}

/* Adds the tasks of certain loops to reader->tasks. */
typedef struct loop_tasks {
    task_reader *reader;
    const uint64_t *loops;
    uint32_t n_loops;
    int is_wanted; /* those of these loops, else those of others */
    walk_status status;
} loop_tasks;

static void
add_task_of_loop(void *argument, uint64_t address)
{
    loop_tasks *self = argument;
    task_reader *reader = self->reader;
    task_fields task;
    int is_of_loops = 0;
    if (self->status != WALK_OK || older_task_read(&reader->older, address, &task) != WALK_OK) {
        return;
    }
    for (uint32_t i = 0; i < self->n_loops; i++) {
        is_of_loops |= self->loops[i] == task.loop;
    }
    if (is_of_loops != self->is_wanted) {
        return;
    }
    if (reader->n_tasks == MAX_TASKS) {
        self->status = WALK_TORN;
    }
    else if (make_tasks_room(reader) < 0) {
        self->status = WALK_NO_MEMORY;
    }
    else {
        reader->tasks[reader->n_tasks++] = task;
    }
}

static int
compare_tasks(const void *a, const void *b)
{
    uint64_t x = ((const task_fields *)a)->address, y = ((const task_fields *)b)->address;
    return (x > y) - (x < y);
}

/* Read the tasks of these loops, or of all others, by address. */
static walk_status
read_of_loops(task_reader *reader, const uint64_t *loops, uint32_t n_loops, int is_wanted)
{
    loop_tasks found = {reader, loops, n_loops, is_wanted, WALK_OK};
    walk_status status = older_tasks_visit(&reader->older, add_task_of_loop, &found);
    uint32_t n = 0;
    if (reader->n_tasks != 0) {
        qsort(reader->tasks, reader->n_tasks, sizeof reader->tasks[0], compare_tasks);
    }
    for (uint32_t i = 0; i < reader->n_tasks; i++) {
        if (n == 0 || reader->tasks[n - 1].address != reader->tasks[i].address) {
            reader->tasks[n++] = reader->tasks[i];
        }
    }
    reader->n_tasks = n;
    return found.status != WALK_OK ? found.status : status;
}

walk_status
tasks_read_of_thread(task_reader *reader, uint64_t thread)
{
    reader->n_tasks = 0;
    if (!is_older(reader)) {
        return read_list(reader, thread + reader->thread_tasks);
    }
    walk_status status = older_tasks_find(&reader->older);
    uint64_t loop = status == WALK_OK ? older_running_loop(&reader->older, thread) : 0;
    if (status == WALK_UNKNOWN) {
        return status;
    }
    return loop != 0 ? read_of_loops(reader, &loop, 1, 1) : WALK_OK;
}

walk_status
tasks_read_left(task_reader *reader, uint64_t interpreter)
{
    const walk_offsets *offsets = reader->offsets;
    uint64_t loops[MAX_LOOPS];
    uint32_t n_loops = 0;
    reader->n_tasks = 0;
    if (!is_older(reader)) {
        return read_list(reader, interpreter + reader->interp_tasks);
    }
    walk_status status = older_tasks_find(&reader->older);
    if (interpreter != reader->older.interpreter || status != WALK_OK) {
        return status == WALK_UNKNOWN ? status : WALK_OK;
    }
    uint64_t thread = object_word(reader->source, interpreter, offsets->interp_threads);
    for (uint32_t i = 0; thread != 0; i++) {
        uint64_t loop = older_running_loop(&reader->older, thread);
        if (i == MAX_THREADS || (loop != 0 && n_loops == MAX_LOOPS)) {
            return WALK_TORN;
        }
        if (loop != 0) {
            loops[n_loops++] = loop;
        }
        thread = object_word(reader->source, thread, offsets->thread_next);
    }
    return read_of_loops(reader, loops, n_loops, 0);
}

/* A generator of any kind, up to the end of the fixed part of its frame. */
typedef struct generator_copy {
    unsigned char bytes[MAX_OBJECT_OFFSET + MAX_FRAME_OFFSET];
} generator_copy;

static int
is_generator_type(const task_reader *reader, uint64_t type)
{
    return type != 0
           && (type == reader->tables.coroutine_type || type == reader->tables.generator_type
               || type == reader->tables.async_generator_type);
}

/* Read the generator at *place, or the one that the object there wraps, whose address *place is then. WALK_TORN if it is
 * none. */
static walk_status
read_generator(const task_reader *reader, uint64_t *place, generator_copy *copy)
{
    uint64_t address = *place;
    unsigned char head[OBJECT_HEAD_BYTES];
    if ((address & 7) != 0) {
        return WALK_TORN;
    }
    if (memory_read(reader->source, address, head, sizeof head) < 0) {
        return WALK_UNREADABLE;
    }
    if (reader->tables.asend_type != 0 && load_u64(head + reader->offsets->object_type) == reader->tables.asend_type) {
        address = load_u64(head + OBJECT_HEAD_BYTES - 8); /* ags_gen */
        if ((address & 7) != 0 || memory_read(reader->source, address, head, sizeof head) < 0) {
            return WALK_TORN;
        }
    }
    if (!is_generator_type(reader, load_u64(head + reader->offsets->object_type))) {
        return WALK_TORN;
    }
    *place = address;
    uint32_t size = reader->at.gen_frame + reader->offsets->frame_bytes;
    return memory_read(reader->source, address, copy->bytes, size) < 0 ? WALK_UNREADABLE : WALK_OK;
}

uint64_t
task_frame(const task_reader *reader, const task_fields *task)
{
    unsigned char head[OBJECT_HEAD_BYTES];
    if (task->coroutine == 0 || (task->coroutine & 7) != 0
        || memory_read(reader->source, task->coroutine, head, sizeof head) < 0
        || !is_generator_type(reader, load_u64(head + reader->offsets->object_type))) {
        return 0;
    }
    return task->coroutine + reader->at.gen_frame;
}

static int
add_frame(task_reader *reader, uint64_t code, uint64_t instr)
{
    if (reader->n_frames == reader->frames_room) {
        uint32_t room = reader->frames_room != 0 ? reader->frames_room * 2 : FIRST_ROOM;
        raw_frame *frames = realloc(reader->frames, room * sizeof *frames);
        if (frames == NULL) {
            return -1;
        }
        reader->frames = frames;
        reader->frames_room = room;
    }
    reader->frames[reader->n_frames++] = (raw_frame){0, code, instr};
    return 0;
}

/* Return whether a suspended frame waits for another one, which is then on its stack. */
static int
does_wait(const task_reader *reader, const unsigned char *frame, int frame_state)
{
    const coroutine_offsets *at = &reader->at;
    unsigned char resume[2]; /* an instruction, its argument */
    if (frame_state != at->state_waits[0] && frame_state != at->state_waits[1]) {
        return 0;
    }
    uint64_t yielded = load_u64(frame + reader->offsets->frame_instr);
    return !at->waits_at_resume
           || (memory_read(reader->source, yielded + sizeof resume, resume, sizeof resume) == 0
               && RESUMES_AS(resume[1]) >= RESUMES_AWAIT);
}

walk_status
task_read_frames(task_reader *reader, const task_fields *task, enum task_state *state)
{
    const walk_offsets *offsets = reader->offsets;
    const coroutine_offsets *at = &reader->at;
    generator_copy copy;
    uint64_t address = task->coroutine;
    *state = TASK_WAITS;
    reader->n_frames = 0;
    while (reader->n_frames < MAX_STACK_FRAMES) {
        walk_status status = read_generator(reader, &address, &copy);
        if (status != WALK_OK) {
            /* The innermost waits for a future, or another awaitable; a task's whole coroutine may be in another
             * language. */
            return reader->n_frames != 0 || status == WALK_TORN ? WALK_OK : status;
        }
        int frame_state = (signed char)copy.bytes[at->gen_state];
        const unsigned char *frame = copy.bytes + at->gen_frame;
        uint64_t address_of_frame = address + at->gen_frame;
        if (frame_state == at->state_runs) {
            *state = TASK_RUNS;
            return reader->n_frames != 0 ? WALK_TORN : WALK_OK;
        }
        if (frame_state >= at->state_ended) {
            *state = reader->n_frames == 0 ? TASK_ENDED : *state;
            return WALK_OK;
        }
        uint64_t code = load_u64(frame + offsets->frame_code) & ~offsets->code_tag_mask;
        if ((signed char)frame[offsets->frame_owner] != OWNER_GENERATOR || code == 0) {
            return WALK_TORN;
        }
        if (add_frame(reader, code, load_u64(frame + offsets->frame_instr)) < 0) {
            return WALK_NO_MEMORY;
        }
        if (!does_wait(reader, frame, frame_state)) {
            return WALK_OK; /* it has not begun, or yields to an unknown caller */
        }
        uint64_t top = load_u64(frame + at->frame_stackpointer) & ~offsets->code_tag_mask;
        uint64_t awaited = 0;
        if (at->is_stack_counted) {
            uint32_t n = load_u32(frame + at->frame_stackpointer);
            if (n < (uint32_t)at->awaited_depth || n > MAX_FRAME_ENTRIES) {
                return WALK_TORN;
            }
            top = address_of_frame + offsets->frame_bytes + 8u * n;
        }
        if (memory_read(reader->source, top - 8u * (uint32_t)at->awaited_depth, &awaited, sizeof awaited) < 0) {
            return WALK_UNREADABLE;
        }
        address = awaited & ~offsets->code_tag_mask;
    }
    return WALK_TORN; /* a cycle */
}

/* Follows what waits, past futures: a task is one of those found, a future is replaced by what waits for it. */
typedef struct awaiter_search {
    const task_reader *reader;
    uint64_t *found;
    uint32_t n_found;
    uint32_t room;
    uint32_t n_futures;
    uint32_t depth;
} awaiter_search;

static void find_awaiters(awaiter_search *search, const task_fields *task);

static void
add_awaiter(void *argument, uint64_t address)
{
    awaiter_search *search = argument;
    task_fields awaiter;
    if (search->n_found == search->room || task_read(search->reader, address, &awaiter) != WALK_OK) {
        return;
    }
    if (awaiter.is_task) {
        search->found[search->n_found++] = address;
    }
    else if (search->depth < MAX_FUTURES_DEPTH && search->n_futures++ < MAX_AWAITERS) {
        search->depth++;
        find_awaiters(search, &awaiter);
        search->depth--;
    }
}

static void
find_awaiters(awaiter_search *search, const task_fields *task)
{
    const task_reader *reader = search->reader;
    if (is_older(reader)) {
        older_awaiters_visit(&reader->older, task, add_awaiter, search);
    }
    else if (task->awaited_by != 0 && task->is_awaited_by_set) {
        (void)set_visit(reader->source, &reader->at, task->awaited_by, add_awaiter, search);
    }
    else if (task->awaited_by != 0) {
        add_awaiter(search, task->awaited_by);
    }
}

int
task_is_awaited(const task_reader *reader, const task_fields *task)
{
    uint64_t awaiter;
    return is_older(reader) ? task_awaiters(reader, task, &awaiter, 1) != 0 : task->awaited_by != 0;
}

uint32_t
task_awaiters(const task_reader *reader, const task_fields *task, uint64_t *awaiters, uint32_t room)
{
    awaiter_search search = {.reader = reader, .found = awaiters, .room = room};
    find_awaiters(&search, task);
    return search.n_found;
}

/* The value of a positive int of at most two digits, -1 for others. */
static int64_t
read_number(const task_reader *reader, const unsigned char *object)
{
    uint64_t tag = load_u64(object + reader->at.long_tag);
    uint64_t size = LONG_SIZE(tag);
    if (size > 2 || LONG_SIGN(tag) != 0) {
        return -1;
    }
    uint64_t value = size > 0 ? load_u32(object + reader->at.long_digits) : 0;
    if (size > 1) {
        value |= (uint64_t)load_u32(object + reader->at.long_digits + 4) << LONG_DIGIT_BITS;
    }
    return value < (uint64_t)1 << 2 * LONG_DIGIT_BITS ? (int64_t)value : -1;
}

/* The number in a name that was made from a number, such as Task-17 once somebody asked for it. */
static int64_t
number_in_name(const char *name)
{
    if (strncmp(name, "Task-", 5) != 0 || name[5] < '1' || name[5] > '9') {
        return -1;
    }
    int64_t number = 0;
    for (const char *at = name + 5; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || number > INT64_MAX / 16) {
            return -1;
        }
        number = number * 10 + (*at - '0');
    }
    return number;
}

walk_status
task_read_name(const task_reader *reader, const task_fields *task, char name[MAX_TASK_NAME_BYTES], int64_t *number)
{
    unsigned char object[MAX_OBJECT_OFFSET + 8];
    char text[MAX_TEXT_BYTES];
    uint32_t flags = 0;
    uint32_t n_bytes = 0;
    name[0] = '\0';
    *number = -1;
    if (task->name == 0 || (task->name & 7) != 0) {
        return WALK_TORN;
    }
    uint32_t tag_end = reader->at.long_tag + 8;
    uint32_t digits_end = reader->at.long_digits + 8; /* of two digits */
    if (memory_read(reader->source, task->name, object, tag_end > digits_end ? tag_end : digits_end) < 0) {
        return WALK_UNREADABLE;
    }
    uint64_t type = load_u64(object + reader->offsets->object_type);
    if (memory_read(reader->source, type + reader->at.type_flags, &flags, sizeof flags) < 0) {
        return WALK_TORN;
    }
    if ((flags & FLAG_IS_LONG) != 0) {
        *number = read_number(reader, object);
        snprintf(name, MAX_TASK_NAME_BYTES, "Task-%lld", (long long)*number);
        return *number >= 0 ? WALK_OK : WALK_TORN;
    }
    if ((flags & FLAG_IS_TEXT) == 0) {
        return WALK_TORN;
    }
    walk_status status = walk_read_text(reader->source, reader->offsets, task->name, text, &n_bytes);
    if (status != WALK_OK) {
        return status;
    }
    if (n_bytes >= MAX_TASK_NAME_BYTES) {
        n_bytes = MAX_TASK_NAME_BYTES - 1;
        while (n_bytes > 0 && ((unsigned char)text[n_bytes] & 0xc0) == 0x80) {
            n_bytes--; /* not within a character */
        }
    }
    memcpy(name, text, n_bytes);
    name[n_bytes] = '\0';
    *number = number_in_name(name);
    return WALK_OK;
}

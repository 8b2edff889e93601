/* older_tasks.c decodes the objects of the module _asyncio and of asyncio's Python code. Everything that is read is
 * untrusted. */
#include "walk/older_tasks.h"

#include <string.h>

/* Modules/_asynciomodule.c, FutureObj_HEAD and TaskObj: the same in 3.12 and 3.13 */
#define FUTURE_LOOP 16u
#define FUTURE_CALLBACK 24u
#define FUTURE_CALLBACKS 40u
#define MAX_FUTURE_BYTES 192u

/* Include/cpython: object.h, methodobject.h, classobject.h, funcobject.h, cellobject.h, moduleobject.c, weakrefobject.h */
#define TYPE_BASICSIZE 32u
#define MODULE_DICT 16u
#define BOUND_SELF 24u /* of a built-in function, and of a method */
#define FUNCTION_QUALNAME 40u
#define FUNCTION_CLOSURE 72u
#define CELL_CONTENT 16u
#define WEAKREF_OBJECT 16u
#define LIST_ITEMS 24u
#define TUPLE_ITEMS 24u
#define MAX_CALLBACKS 4096u
#define MAX_CELLS 64u
#define MAX_INTERPRETERS 1024

#define LOOP_KEY "__asyncio_running_event_loop__"

walk_status
older_tasks_open(older_tasks *tasks, const memory_source *source, const walk_offsets *offsets, uint64_t runtime)
{
    memset(tasks, 0, sizeof *tasks);
    const object_layout *layout = find_object_layout(offsets->version);
    if (layout == NULL) {
        return WALK_UNKNOWN;
    }
    tasks->objects = (object_reader){source, offsets, layout};
    uint64_t at = object_word(source, runtime, offsets->runtime_interpreters);
    for (int i = 0; i < MAX_INTERPRETERS && at != 0; i++) {
        if (object_word(source, at, offsets->interp_id) == 0) {
            tasks->interpreter = at;
            return WALK_OK;
        }
        at = object_word(source, at, offsets->interp_next);
    }
    return WALK_UNREADABLE;
}

static uint64_t
word_at(const older_tasks *tasks, uint64_t address, uint32_t offset)
{
    return object_word(tasks->objects.source, address, offset);
}

/* Whether a class of C code has instances of this size. */
static int
has_size(const older_tasks *tasks, uint64_t type, uint32_t size)
{
    return word_at(tasks, type, TYPE_BASICSIZE) == size;
}

walk_status
older_tasks_find(older_tasks *tasks)
{
    const object_reader *objects = &tasks->objects;
    const object_layout *layout = objects->layout;
    if (tasks->task_type != 0 || tasks->is_unknown) {
        return tasks->is_unknown ? WALK_UNKNOWN : WALK_OK;
    }
    uint64_t modules = word_at(tasks, tasks->interpreter, layout->interp_modules);
    dict_place before = tasks->looked;
    uint64_t module = dict_value(objects, modules, "_asyncio", &tasks->looked);
    uint64_t names = module != 0 ? word_at(tasks, module, MODULE_DICT) : 0;
    if (names == 0) {
        return WALK_TORN;
    }
    uint64_t task_type = dict_value(objects, names, "Task", NULL);
    tasks->future_type = dict_value(objects, names, "Future", NULL);
    tasks->current = dict_value(objects, names, "_current_tasks", NULL);
    tasks->scheduled = dict_value(objects, names, "_scheduled_tasks", NULL);
    tasks->eager = dict_value(objects, names, "_eager_tasks", NULL);
    if (task_type == 0 || tasks->future_type == 0 || tasks->current == 0 || tasks->scheduled == 0
        || tasks->eager == 0) {
        tasks->looked = before; /* it is being imported */
        return WALK_TORN;
    }
    tasks->task_type = task_type;
    tasks->is_unknown =
        !has_size(tasks, task_type, layout->task_bytes) || !has_size(tasks, tasks->future_type, layout->future_bytes);
    return tasks->is_unknown ? WALK_UNKNOWN : WALK_OK;
}

uint64_t
older_running_loop(const older_tasks *tasks, uint64_t thread)
{
    const object_layout *layout = tasks->objects.layout;
    if (layout->thread_loop != 0) {
        return word_at(tasks, thread, layout->thread_loop);
    }
    return dict_value(&tasks->objects, word_at(tasks, thread, layout->thread_dict), LOOP_KEY, NULL);
}

uint64_t
older_running_task(const older_tasks *tasks, uint64_t thread)
{
    uint64_t task = dict_value_of(&tasks->objects, tasks->current, older_running_loop(tasks, thread));
    return object_is_a(&tasks->objects, task, tasks->task_type) ? task : 0;
}

walk_status
older_task_read(const older_tasks *tasks, uint64_t address, task_fields *task)
{
    const object_layout *layout = tasks->objects.layout;
    unsigned char object[MAX_FUTURE_BYTES];
    memset(task, 0, sizeof *task);
    task->address = address;
    task->is_task = object_is_a(&tasks->objects, address, tasks->task_type);
    if (!task->is_task && !object_is_a(&tasks->objects, address, tasks->future_type)) {
        return WALK_TORN;
    }
    uint32_t size = task->is_task ? layout->task_coroutine + 16 : layout->future_bytes;
    if (size > sizeof object || memory_read(tasks->objects.source, address, object, size) < 0) {
        return WALK_UNREADABLE;
    }
    task->loop = load_u64(object + FUTURE_LOOP);
    task->callback = load_u64(object + FUTURE_CALLBACK);
    task->callbacks = load_u64(object + FUTURE_CALLBACKS);
    if (task->is_task) {
        task->coroutine = load_u64(object + layout->task_coroutine);
        task->name = load_u64(object + layout->task_coroutine + 8);
    }
    return WALK_OK;
}

/* Visits those tasks of a set that have not ended. */
typedef struct task_visit {
    const older_tasks *tasks;
    int is_weak; /* the set is of weak references */
    object_visitor visit;
    void *argument;
} task_visit;

static void
visit_task(void *argument, uint64_t object)
{
    const task_visit *self = argument;
    const older_tasks *tasks = self->tasks;
    uint32_t state = 1;
    uint64_t task = self->is_weak ? word_at(tasks, object, WEAKREF_OBJECT) : object;
    if (object_is_a(&tasks->objects, task, tasks->task_type)
        && memory_read(tasks->objects.source, task + tasks->objects.layout->future_state, &state, sizeof state) == 0
        && state == 0) {
        self->visit(self->argument, task);
    }
}

walk_status
older_tasks_visit(const older_tasks *tasks, object_visitor visit, void *argument)
{
    const coroutine_offsets *at = &tasks->objects.layout->coroutines;
    task_visit weak = {tasks, 1, visit, argument};
    task_visit eager = {tasks, 0, visit, argument};
    uint64_t data = object_attribute(&tasks->objects, tasks->scheduled, "data");
    if (data == 0) {
        return WALK_TORN;
    }
    walk_status status = set_visit(tasks->objects.source, at, data, visit_task, &weak);
    if (status == WALK_OK) {
        status = set_visit(tasks->objects.source, at, tasks->eager, visit_task, &eager);
    }
    return status;
}

/* Functions within asyncio that end a future when a task ends: the future is among their variables. */
static const char *const FUTURE_ENDERS[] = {
    "gather.<locals>._done_callback",
    "shield.<locals>._inner_done_callback",
    "_wait.<locals>._on_completion",
};

static int
ends_future(const older_tasks *tasks, uint64_t function)
{
    uint64_t name = word_at(tasks, function, FUNCTION_QUALNAME);
    for (size_t i = 0; i < sizeof FUTURE_ENDERS / sizeof FUTURE_ENDERS[0]; i++) {
        if (object_is_text(&tasks->objects, name, FUTURE_ENDERS[i])) {
            return 1;
        }
    }
    return 0;
}

static void
visit_variables(const older_tasks *tasks, uint64_t function, awaiter_visitor visit, void *argument)
{
    const object_reader *objects = &tasks->objects;
    uint64_t cells[MAX_CELLS];
    uint64_t closure = word_at(tasks, function, FUNCTION_CLOSURE);
    uint64_t n = word_at(tasks, closure, objects->offsets->object_size);
    if (n == 0 || n > MAX_CELLS || !object_is_kind(objects, closure, "tuple")
        || memory_read(objects->source, closure + TUPLE_ITEMS, cells, (size_t)n * sizeof cells[0]) < 0) {
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t content = word_at(tasks, cells[i], CELL_CONTENT);
        if (object_is_a(objects, content, tasks->future_type) && !object_is_a(objects, content, tasks->task_type)) {
            visit(argument, content);
        }
    }
}

/* Visit what a callback is for: a task that it wakes up (a built-in function bound to it), the task that a group runs in
 * (a method of the group), or a future. */
static void
visit_callback(const older_tasks *tasks, uint64_t callback, awaiter_visitor visit, void *argument)
{
    const object_reader *objects = &tasks->objects;
    uint64_t found = 0;
    if (object_is_kind(objects, callback, "builtin_function_or_method")) {
        found = word_at(tasks, callback, BOUND_SELF);
    }
    else if (object_is_kind(objects, callback, "method")) {
        found = object_attribute(objects, word_at(tasks, callback, BOUND_SELF), "_parent_task");
    }
    else if (object_is_kind(objects, callback, "function") && ends_future(tasks, callback)) {
        visit_variables(tasks, callback, visit, argument);
    }
    if (object_is_a(objects, found, tasks->task_type)) {
        visit(argument, found);
    }
}

void
older_awaiters_visit(const older_tasks *tasks, const task_fields *task, awaiter_visitor visit, void *argument)
{
    visit_callback(tasks, task->callback, visit, argument);
    uint64_t n = task->callbacks != 0 ? word_at(tasks, task->callbacks, tasks->objects.offsets->object_size) : 0;
    uint64_t items = n != 0 ? word_at(tasks, task->callbacks, LIST_ITEMS) : 0;
    for (uint64_t i = 0; i < n && i < MAX_CALLBACKS; i++) {
        uint64_t pair = word_at(tasks, items + 8 * i, 0); /* the function, its context */
        visit_callback(tasks, word_at(tasks, pair, TUPLE_ITEMS), visit, argument);
    }
}

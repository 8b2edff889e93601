/* native_frames/mappings.c reads /proc/self/maps when the dynamic linker has loaded something. It asks the linker for
 * nothing, as that would wait for its locks: it looks whether the linker's list of files, which grows at its end, has
 * a new end. */
#include "sampler/native_frames/mappings.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_TEXT (1u << 22) /* of the kernel's file */
#define FIRST_TEXT (1u << 16)
#define MAX_LOGGED_TEXT 200000u /* fits into one segment of the log */
#define MAX_LOADED 65536u
#define MAX_RANGES 8192u
#define AGAIN_NS 5000000000u
#define KERNEL_CODE "[vdso]" /* code of the kernel in the process, without a file */

void
code_mappings_open(code_mappings *mappings, uint64_t interpreter)
{
    memset(mappings, 0, sizeof *mappings);
    mappings->interpreter = interpreter;
    mappings->own = (uint64_t)(uintptr_t)&code_mappings_open;
    mappings->loaded = (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "_r_debug");
}

void
code_mappings_close(code_mappings *mappings)
{
    free(mappings->ranges);
    free(mappings->text);
    memset(mappings, 0, sizeof *mappings);
}

/* Return the last entry of the linker's list; 0 if it can't be read. */
static uint64_t
find_last_loaded(const code_mappings *mappings, const memory_source *memory)
{
    uint64_t at = 0;
    uint64_t next = 0;
    if (mappings->loaded == 0
        || memory_read(memory, mappings->loaded + offsetof(struct r_debug, r_map), &next, sizeof next) < 0) {
        return 0;
    }
    for (uint32_t i = 0; next != 0 && i < MAX_LOADED; i++) {
        at = next;
        if (memory_read(memory, at + offsetof(struct link_map, l_next), &next, sizeof next) < 0) {
            return 0;
        }
    }
    return next == 0 ? at : 0;
}

memory_span
code_mappings_span(code_mappings *mappings)
{
    uint64_t address = mappings->last_loaded + offsetof(struct link_map, l_next);
    return (memory_span){address, &mappings->next_loaded, mappings->last_loaded != 0 ? sizeof(uint64_t) : 0};
}

/* Return the text of /proc/self/maps, owned by the caller; NULL if it can't be read. */
static char *
read_text(void)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t room = FIRST_TEXT, used = 0;
    char *text = fd < 0 ? NULL : malloc(room);
    while (text != NULL) {
        ssize_t got = read(fd, text + used, room - used - 1);
        if (got <= 0) {
            text[used] = '\0';
            break;
        }
        used += (size_t)got;
        if (room - used > 1) {
            continue;
        }
        char *more = room < MAX_TEXT ? realloc(text, room * 2) : NULL;
        if (more == NULL) {
            free(text);
        }
        text = more;
        room *= 2;
    }
    if (fd >= 0) {
        close(fd);
    }
    return text;
}

typedef struct maps_line {
    uint64_t start;
    uint64_t end;
    int is_code;
    const char *path; /* NULL: neither a file nor KERNEL_CODE */
} maps_line;

/* Parse a line, which ends with a null byte. */
static int
parse_line(const char *text, maps_line *line)
{
    char flags[5];
    int path_at = 0;
    unsigned long long start, end;
    if (sscanf(text, "%llx-%llx %4s %*s %*s %*s %n", &start, &end, flags, &path_at) != 3 || path_at == 0) {
        return 0;
    }
    line->start = start;
    line->end = end;
    line->is_code = flags[2] == 'x';
    line->path = text[path_at] == '/' || strcmp(text + path_at, KERNEL_CODE) == 0 ? text + path_at : NULL;
    return 1;
}

/* The C library, and what compilers add, in a place of its own (conda, nix). */
static int
is_runtime_library(const char *name)
{
    static const char *const begins[] = {"libc.so", "libc-2",     "ld-linux", "ld-2",         "ld-musl",  "libm.so",
                                         "libm-2",  "libpthread", "libdl.so", "libstdc++.so", "libgcc_s", "libffi"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        if (strncmp(name, begins[i], strlen(begins[i])) == 0) {
            return 1;
        }
    }
    return 0;
}

static int
is_system_path(const char *path)
{
    const char *name = strrchr(path, '/');
    if (name == NULL) {
        return 1;
    }
    name++;
    int is_there = strncmp(path, "/lib", 4) == 0 || strncmp(path, "/usr/lib", 8) == 0;
    return (is_there && strstr(path, "-packages/") == NULL) || is_runtime_library(name);
}

/* What the interpreter's and our own files are called. Borrowed from the lines. */
typedef struct own_paths {
    const char *interpreter;
    const char *own;
} own_paths;

static char
kind_of(const char *path, const own_paths *paths)
{
    if ((paths->interpreter != NULL && strcmp(path, paths->interpreter) == 0)
        || (paths->own != NULL && strcmp(path, paths->own) == 0) || strstr(path, "/lib-dynload/") != NULL) {
        return FILE_INTERPRETER;
    }
    return is_system_path(path) ? FILE_SYSTEM : FILE_PROGRAM;
}

static void
add_line(code_mappings *mappings, const char *text, const maps_line *line, char kind)
{
    size_t size = strlen(text);
    if (mappings->n_text + size + 3 <= MAX_LOGGED_TEXT) {
        char *to = mappings->text + mappings->n_text;
        to[0] = kind;
        to[1] = ' ';
        memcpy(to + 2, text, size);
        to[size + 2] = '\n';
        mappings->n_text += (uint32_t)size + 3;
    }
    if (kind == FILE_PROGRAM && mappings->n_ranges < MAX_RANGES) {
        mappings->ranges[mappings->n_ranges++] = (code_range){line->start, line->end};
    }
}

static void
sort_lines(code_mappings *mappings, char *text)
{
    size_t size = strlen(text); /* line ends become null bytes */
    own_paths paths = {NULL, NULL};
    maps_line line;
    char *end;
    for (char *at = text; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        *end = '\0';
        if (!parse_line(at, &line) || line.path == NULL) {
            continue;
        }
        if (mappings->interpreter >= line.start && mappings->interpreter < line.end) {
            paths.interpreter = line.path;
        }
        if (mappings->own >= line.start && mappings->own < line.end) {
            paths.own = line.path;
        }
    }
    mappings->n_text = mappings->n_ranges = 0;
    for (char *at = text; at < text + size; at += strlen(at) + 1) {
        if (parse_line(at, &line) && line.path != NULL && line.is_code) {
            add_line(mappings, at, &line, kind_of(line.path, &paths));
        }
    }
}

int
code_mappings_follow(code_mappings *mappings, const memory_source *memory, uint64_t now_ns)
{
    if (now_ns < mappings->next_ns && mappings->next_loaded == 0) {
        return 0;
    }
    mappings->next_loaded = 0;
    mappings->next_ns = now_ns + AGAIN_NS;
    mappings->last_loaded = find_last_loaded(mappings, memory); /* before the text: what comes later is seen later */
    if (mappings->text == NULL) {
        mappings->text = malloc(MAX_LOGGED_TEXT);
        mappings->ranges = malloc(MAX_RANGES * sizeof *mappings->ranges);
    }
    char *before = mappings->text != NULL && mappings->ranges != NULL ? malloc(MAX_LOGGED_TEXT) : NULL;
    char *text = before != NULL ? read_text() : NULL;
    int is_new = 0;
    if (text != NULL) {
        uint32_t n_before = mappings->n_text;
        memcpy(before, mappings->text, n_before);
        sort_lines(mappings, text);
        is_new = mappings->n_text != n_before || memcmp(before, mappings->text, n_before) != 0;
    }
    free(text);
    free(before);
    return is_new;
}

int
code_mappings_has(const code_mappings *mappings, uint64_t address)
{
    uint32_t low = 0, high = mappings->n_ranges;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (address < mappings->ranges[middle].start) {
            high = middle;
        }
        else if (address >= mappings->ranges[middle].end) {
            low = middle + 1;
        }
        else {
            return 1;
        }
    }
    return 0;
}

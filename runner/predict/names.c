/* Finds the names in a folder, a manifest or a list, and returns them one by one. */
#include "runner/predict/names.h"
#include "engine/base/input_file.h"
#include "engine/base/path.h"
#include "engine/base/text.h"
#include "frontends/dataset/dataset.h"
#include "runner/predict/lines.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* The deepest nesting of folders, because links may form rings. */
enum { MOST_DEPTH = 32 };

struct dv_names {
    const dv_names_request *request;
    char *text; /* names, each ended by NUL; owned */
    size_t size, room;
    size_t *starts; /* (count) offsets in `text`; owned */
    size_t count, starts_room;
    size_t next;     /* index into `starts` */
    dv_lines *lines; /* lines of a pipe; NULL if all names are in `text` */
    int64_t seen;    /* names that came through the pipe, of all shares */
    atomic_bool stopped;
};

/* ---- Names that are read at once ---- */

static dv_status add(void *user, const char *name)
{
    dv_names *names = user;
    size_t size = strlen(name) + 1;
    while (names->room - names->size < size)
        DV_TRY(dv_grow(names->room, 1, &names->room, &names->text));
    DV_TRY(dv_grow(names->count, sizeof *names->starts, &names->starts_room, &names->starts));
    names->starts[names->count++] = names->size;
    memcpy(names->text + names->size, name, size);
    names->size += size;
    return DV_OK;
}

/* Adds the sounds of a folder and then those of its folders, and counts the other files. */
static dv_status add_folder(dv_names *names, const char *path, int depth, dv_file_kinds *others)
{
    dv_sound_folder found = {0};
    char *full;
    if (depth == MOST_DEPTH)
        return DV_FAIL(DV_EFORMAT,
                       "%s: folders are more than %d deep in each other; does a link lead back?",
                       path, MOST_DEPTH);
    dv_status status = dv_sound_folder_read(path, &found);
    dv_add_file_kinds(others, &found.others);
    for (size_t i = 0; status == DV_OK && i < found.sound_count; i++) {
        status = dv_join(path, found.sounds[i], &full);
        if (status == DV_OK)
            status = add(names, full);
        free(full);
    }
    for (size_t i = 0; status == DV_OK && i < found.folder_count; i++) {
        status = dv_join(path, found.folders[i], &full);
        if (status == DV_OK)
            status = add_folder(names, full, depth + 1, others);
        free(full);
    }
    dv_sound_folder_free(&found);
    return status;
}

static void tell_others(const dv_names *names, const dv_file_kinds *others)
{
    char text[512] = "";
    for (int i = 0; i < others->count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%zu %s", i > 0 ? ", " : ": ",
                 others->list[i].files, others->list[i].ending);
    }
    if (others->total > 0)
        dv_log_write(&names->request->log, DV_LOG_WARNING,
                     "%s: %zu file%s left out, with no ending of a sound file%s",
                     names->request->input, others->total, others->total == 1 ? " is" : "s are",
                     text);
}

static dv_status read_folder(dv_names *names, const char *path)
{
    dv_file_kinds others = {.count = 0};
    size_t length = strlen(path);
    char *trimmed;
    DV_TRY(dv_strdup(path, &trimmed));
    while (length > 1 && trimmed[length - 1] == '/')
        trimmed[--length] = '\0';
    dv_status status = add_folder(names, trimmed, 0, &others);
    free(trimmed);
    if (status == DV_OK)
        tell_others(names, &others);
    return status;
}

static dv_status read_list(dv_names *names, const char *path)
{
    dv_lines *lines;
    const char *line;
    DV_TRY(dv_lines_open(path, &lines));
    dv_status status;
    while ((status = dv_lines_next(lines, true, &line)) == DV_OK && line != NULL)
        DV_TRY_GOTO(add(names, line));
fail:
    dv_lines_close(lines);
    return status;
}

/* ---- Opening ---- */

static bool is_manifest(const char *path)
{
    static const char *const endings[] = {".csv", ".tsv", ".jsonl", ".json", ".ndjson"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof endings / sizeof *endings; i++) {
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    }
    return false;
}

static dv_status read_input(dv_names *names, const char *path)
{
    struct stat facts;
    if (strcmp(path, "-") == 0)
        return dv_lines_open(path, &names->lines);
    if (stat(path, &facts) != 0)
        return DV_FAIL(DV_EIO, "%s: cannot be read: %s", path, strerror(errno));
    if (S_ISDIR(facts.st_mode))
        return read_folder(names, path);
    if (!S_ISREG(facts.st_mode))
        return dv_lines_open(path, &names->lines);
    if (dv_audio_kind(path) == DV_SOUND)
        return add(names, path);
    return is_manifest(path) ? dv_manifest_paths(path, add, names) : read_list(names, path);
}

static dv_status read_operands(dv_names *names)
{
    for (size_t i = 0; i < names->request->count; i++)
        DV_TRY(add(names, names->request->operands[i]));
    return DV_OK;
}

/* Keeps only the names of the share. */
static void take_share(dv_names *names)
{
    const dv_names_request *request = names->request;
    size_t kept = 0;
    for (size_t i = (size_t)(request->shard - 1); i < names->count; i += (size_t)request->shards)
        names->starts[kept++] = names->starts[i];
    names->count = kept;
}

dv_status dv_names_open(const dv_names_request *request, dv_names **out)
{
    dv_names *names;
    *out = NULL;
    DV_TRY(dv_calloc(1, sizeof *names, &names));
    names->request = request;
    dv_status status =
        request->input != NULL ? read_input(names, request->input) : read_operands(names);
    if (status == DV_OK && names->lines == NULL && names->count == 0)
        status = DV_FAIL(DV_EFORMAT, "%s: names no sound file", request->input);
    if (status != DV_OK) {
        dv_names_close(names);
        return status;
    }
    if (names->lines == NULL)
        take_share(names);
    *out = names;
    return DV_OK;
}

void dv_names_close(dv_names *names)
{
    if (names == NULL)
        return;
    dv_lines_close(names->lines);
    free(names->starts);
    free(names->text);
    free(names);
}

/* ---- One by one ---- */

int64_t dv_names_count(const dv_names *names)
{
    return names->lines == NULL ? (int64_t)names->count : -1;
}

/* Reads the next line of a pipe. It waits in short steps, so dv_names_stop can end the wait. */
static dv_status next_line(dv_names *names, bool wait, const char **name)
{
    do {
        DV_TRY(dv_lines_next(names->lines, false, name));
        if (*name != NULL || dv_lines_ended(names->lines) || !wait)
            return DV_OK;
        dv_lines_wait(names->lines);
    } while (!atomic_load(&names->stopped));
    return DV_OK;
}

void dv_names_stop(dv_names *names)
{
    atomic_store(&names->stopped, true);
}

dv_status dv_names_next(dv_names *names, bool wait, const char **name)
{
    const dv_names_request *request = names->request;
    *name = NULL;
    if (names->lines == NULL) {
        if (names->next < names->count)
            *name = names->text + names->starts[names->next++];
        return DV_OK;
    }
    do {
        DV_TRY(next_line(names, wait, name));
    } while (*name != NULL && names->seen++ % request->shards != request->shard - 1);
    return DV_OK;
}

bool dv_names_ended(const dv_names *names)
{
    return names->lines == NULL ? names->next == names->count : dv_lines_ended(names->lines);
}

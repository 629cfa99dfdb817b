/* Reads manifests: a table with a header, or JSON lines, with columns in any order and under their
   usual names. */
#include "engine/base/csv.h"
#include "engine/base/text.h"
#include "frontends/dataset/dataset_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { PATH, LABEL, SPEAKER, SPLIT, COLUMN_COUNT };

/* For each column its own name, then its names in other data sets. */
static const char *const column_names[COLUMN_COUNT][10] = {
    {"path", "file", "filename", "file_name", "filepath", "audio", "audio_filepath", "wav", "clip"},
    {"label", "class", "category", "word", "text", "command", "target", "transcript"},
    {"speaker", "speaker_id", "client_id", "spk"},
    {"split", "set", "subset", "part"}};

/* Columns that are not read, each named once. */
typedef struct further {
    char text[512]; /* "'a', 'b'" */
    char **names;   /* (count), owned */
    size_t count, capacity;
} further;

typedef struct manifest {
    dv_csv csv;
    const char *folder;   /* paths are relative to it */
    dv__listing *listing; /* gets the clips; NULL if `take` gets the paths */
    dv_take_path take;
    void *user;
    dv_dataset *dataset; /* for notes */
    further further;
    bool has_backslashes;
} manifest;

/* ---- Columns ---- */

/* The columns from PATH to this one are required. */
static int last_needed(const manifest *in)
{
    return in->listing != NULL ? LABEL : PATH;
}

/* The column that has this name, or -1. *own tells whether it is the column's own name. */
static int column_named(const char *name, bool *own)
{
    for (int column = 0; column < COLUMN_COUNT; column++) {
        for (int i = 0; column_names[column][i] != NULL; i++) {
            *own = i == 0;
            if (strcasecmp(name, column_names[column][i]) == 0)
                return column;
        }
    }
    *own = false;
    return -1;
}

/* Adds a column that is not read. A column without a name comes from a separator at the end of each
   line, and is ignored. */
static dv_status add_further(further *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->names[i], name) == 0)
            return DV_OK;
    }
    if (name[0] == '\0')
        return DV_OK;
    DV_TRY(dv_grow(all->count, sizeof *all->names, &all->capacity, &all->names));
    DV_TRY(dv_strdup(name, &all->names[all->count]));
    size_t used = strlen(all->text);
    snprintf(all->text + used, sizeof all->text - used, "%s'%s'", all->count > 0 ? ", " : "", name);
    all->count++;
    return DV_OK;
}

static dv_status fail_twice(const manifest *in, int column, const char *a, const char *b)
{
    const char *own = column_names[column][0];
    if (strcasecmp(a, own) == 0)
        return DV_FAIL(DV_EFORMAT, "%s:%d: the column '%s' is there twice", in->csv.path,
                       in->csv.row_line, own);
    return DV_FAIL(DV_EFORMAT,
                   "%s:%d: both '%s' and '%s' may be the column '%s': rename one of them to that",
                   in->csv.path, in->csv.row_line, a, b, own);
}

/* Sets place[c] to the index of column c in names (count), or to -1. A column's other names count
   only if its own name is missing. */
static dv_status find_columns(manifest *in, char *const *names, size_t count,
                              int place[COLUMN_COUNT])
{
    bool owns[COLUMN_COUNT] = {false};
    for (int i = 0; i < COLUMN_COUNT; i++)
        place[i] = -1;
    for (size_t k = 0; k < 2 * count; k++) {
        size_t i = k % count;
        bool own_turn = k < count, own = false;
        int column = column_named(names[i], &own);
        if (own_turn != own)
            continue;
        if (column < 0 || (!own && owns[column])) {
            DV_TRY(add_further(&in->further, names[i]));
            continue;
        }
        if (place[column] >= 0)
            return fail_twice(in, column, names[place[column]], names[i]);
        place[column] = (int)i;
        owns[column] = own;
    }
    return DV_OK;
}

/* ---- One clip ---- */

static dv_status read_part(const manifest *in, const char *word, dv__entry *entry)
{
    static const char *const names[DV_PART_COUNT] = {"train", "validation", "test"};
    entry->part = DV_PART_TRAIN;
    entry->part_given = word[0] != '\0';
    if (!entry->part_given)
        return DV_OK;
    int part = dv__part_named(word);
    const char *nearest = dv_nearest(word, names, DV_PART_COUNT);
    if (part < 0)
        return DV_FAIL(DV_EFORMAT, "%s:%d: unknown split '%s'; %s%s%s", in->csv.path,
                       in->csv.row_line, word, nearest != NULL ? "did you mean '" : "",
                       nearest != NULL ? nearest : "known are train, validation, test",
                       nearest != NULL ? "'?" : "");
    entry->part = (dv_part)part;
    return DV_OK;
}

/* Whether the path begins with a scheme such as https://. */
static bool is_address(const char *path)
{
    size_t length = 0;
    while (isalnum((unsigned char)path[length]) != 0 ||
           (path[length] != '\0' && strchr("+-.", path[length]) != NULL))
        length++;
    return length > 1 && strncmp(path + length, "://", 3) == 0;
}

/* Finds the path of the file. The caller owns *out. Windows writes backslashes; elsewhere they may
   be part of a file's name, so that name is tried first. */
static dv_status find_file(manifest *in, const char *value, char **out)
{
    struct stat info;
    if (is_address(value))
        return DV_FAIL(DV_EFORMAT,
                       "%s:%d: '%s' is an address, and only files are read: download it, and write "
                       "the path of the file",
                       in->csv.path, in->csv.row_line, value);
    DV_TRY(dv_join(value[0] == '/' ? "" : in->folder, value, out));
    if (strchr(value, '\\') == NULL || stat(*out, &info) == 0)
        return DV_OK;
    in->has_backslashes = true;
    for (char *mark = *out + strlen(*out) - strlen(value); (mark = strchr(mark, '\\')) != NULL;)
        *mark = '/';
    return DV_OK;
}

/* Checks values (COLUMN_COUNT). A NULL value is no text. */
static dv_status check_values(const manifest *in, char *const *values)
{
    int count = in->listing != NULL ? COLUMN_COUNT : PATH + 1;
    for (int column = 0; column < count; column++) {
        if (values[column] == NULL)
            return DV_FAIL(DV_EFORMAT, "%s:%d: the %s is neither a text nor a whole number",
                           in->csv.path, in->csv.row_line, column_names[column][0]);
        if (column <= last_needed(in) && values[column][0] == '\0')
            return DV_FAIL(DV_EFORMAT, "%s:%d: the %s is empty", in->csv.path, in->csv.row_line,
                           column_names[column][0]);
    }
    return DV_OK;
}

static dv_status take_path(manifest *in, const char *value)
{
    char *path;
    DV_TRY(find_file(in, value, &path));
    dv_status status = in->take(in->user, path);
    free(path);
    return status;
}

static dv_status add_clip(manifest *in, char *const *values)
{
    DV_TRY(check_values(in, values));
    if (in->listing == NULL)
        return take_path(in, values[PATH]);
    dv__entry entry = {
        .label = values[LABEL], .speaker = values[SPEAKER], .index = -1, .line = in->csv.row_line};
    DV_TRY(read_part(in, values[SPLIT], &entry));
    DV_TRY(find_file(in, values[PATH], &entry.path));
    dv_status status = dv__listing_add(in->listing, &entry);
    free(entry.path);
    return status;
}

/* Picks the columns from a row's fields, and adds the clip. */
static dv_status add_row(manifest *in, char *const *fields, const int place[COLUMN_COUNT])
{
    char empty[] = "";
    char *values[COLUMN_COUNT];
    for (int i = 0; i < COLUMN_COUNT; i++)
        values[i] = place[i] >= 0 ? fields[place[i]] : empty;
    return add_clip(in, values);
}

/* ---- Tables ---- */

/* Reads the header, then a clip from each further row. The header must name the required
   columns. */
static dv_status read_table(manifest *in)
{
    int place[COLUMN_COUNT] = {0};
    dv_csv *csv = &in->csv;
    dv_csv_row row;
    dv_csv_find_separator(csv);
    DV_TRY(dv_csv_read(csv, &row));
    size_t width = row.count;
    DV_TRY(find_columns(in, row.fields, width, place));
    for (int column = PATH; column <= last_needed(in); column++) {
        if (place[column] < 0)
            return DV_FAIL(DV_EFORMAT,
                           "%s:%d: no column '%s': the first line names the columns, for example "
                           "path,label,speaker,split (the last two need not be), and each further "
                           "line is a clip, for example clips/1.wav,yes,ann,train",
                           csv->path, csv->row_line, column_names[column][0]);
    }
    for (;;) {
        DV_TRY(dv_csv_read(csv, &row));
        if (row.count == 0)
            return DV_OK;
        if (row.count != width)
            return DV_FAIL(DV_EFORMAT, "%s:%d: the line has %zu field%s, and the header has %zu",
                           csv->path, csv->row_line, row.count, dv_plural(row.count), width);
        DV_TRY(add_row(in, row.fields, place));
    }
}

/* ---- JSON lines ---- */

/* The duration in NeMo's lines is not needed, since the file has it too. */
static void drop_duration(dv_json_row *row)
{
    for (size_t i = 0; i < row->count; i++) {
        if (strcmp(row->names[i], "duration") == 0)
            row->names[i][0] = '\0';
    }
}

/* Reads a clip from the next line. *more tells whether there was a line. Each line looks up the
   members anew, since their order may change. */
static dv_status read_line(manifest *in, bool *more)
{
    dv_status status;
    dv_json_row row = {.count = 0};
    int place[COLUMN_COUNT] = {0};
    DV_TRY_GOTO(dv_json_line_read(&in->csv, &row, more));
    if (!*more)
        goto fail;
    drop_duration(&row);
    DV_TRY_GOTO(find_columns(in, row.names, row.count, place));
    for (int column = PATH; column <= last_needed(in); column++) {
        if (place[column] < 0)
            DV_TRY_GOTO(DV_FAIL(DV_EFORMAT,
                                "%s:%d: no '%s': each line is a clip, for example "
                                "{\"audio_filepath\": \"clips/1.wav\", \"label\": \"yes\"}",
                                in->csv.path, in->csv.row_line, column_names[column][0]));
    }
    status = add_row(in, row.values, place);
fail:
    dv_json_row_free(&row);
    return status;
}

static dv_status read_lines(manifest *in)
{
    bool more = true;
    while (more)
        DV_TRY(read_line(in, &more));
    return DV_OK;
}

/* ---- Either ---- */

static dv_status note_columns(manifest *in)
{
    if (in->further.count > 0)
        DV_TRY(dv__note(in->dataset, "%s: these columns are not read: %s", in->csv.path,
                        in->further.text));
    if (in->has_backslashes)
        DV_TRY(dv__note(in->dataset, "%s: backslashes in paths are read as slashes", in->csv.path));
    return DV_OK;
}

static dv_status read_either(manifest *in)
{
    char first = in->csv.next[strspn(in->csv.next, " \t\r\n")];
    if (first == '[')
        return DV_FAIL(
            DV_EFORMAT,
            "%s: is one JSON list, and JSON lines are read, with an object on each line; "
            "this line makes them: jq -c '.[]' FILE > FILE.jsonl",
            in->csv.path);
    bool lines = first == '{';
    DV_TRY(lines ? read_lines(in) : read_table(in));
    return in->listing != NULL ? note_columns(in) : DV_OK;
}

/* Reads the manifest into in->listing, or calls in->take with its paths. */
static dv_status read_manifest(const char *path, manifest *in)
{
    char *folder;
    DV_TRY(dv_csv_open(path, &in->csv));
    dv_status status = dv_strdup(path, &folder);
    if (status == DV_OK) {
        char *slash = strrchr(folder, '/');
        folder[slash != NULL ? slash + 1 - folder : 0] = '\0';
        in->folder = folder;
        status = read_either(in);
        free(folder);
    }
    for (size_t i = 0; i < in->further.count; i++)
        free(in->further.names[i]);
    free(in->further.names);
    dv_csv_close(&in->csv);
    return status;
}

dv_status dv__read_manifest(const char *path, dv__listing *listing, dv_dataset *dataset)
{
    manifest in = {.listing = listing, .dataset = dataset};
    listing->manifest = path;
    return read_manifest(path, &in);
}

dv_status dv_manifest_paths(const char *path, dv_take_path take, void *user)
{
    manifest in = {.take = take, .user = user};
    return read_manifest(path, &in);
}

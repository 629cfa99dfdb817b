/* Writes rows into a file that a later call can continue, and reads existing rows. */
#include "runner/predict/rows_file.h"
#include "engine/base/input_file.h"
#include "engine/base/json.h"
#include "runner/experiment/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct dv_rows_file {
    char *path, *part, *job; /* owned */
    int descriptor;          /* descriptor of the part, which is locked */
};

static dv_status fail_errno(const char *path, const char *what)
{
    return DV_FAIL(DV_EIO, "%s: cannot be %s: %s", path, what, strerror(errno));
}

/* ---- Reading rows again ---- */

/* Reads rows from a stream line by line. A row of CSV may have several lines, in quotes. */
typedef struct row_reader {
    const char *path; /* path of the rows, for messages */
    int format;
    FILE *file;
    char *row;         /* (size) owned */
    size_t size, room; /* room: size of the buffer */
    size_t quotes;     /* number of quotes in the row; if it is odd, one is open */
    char *line;        /* owned */
    size_t line_room;
    int64_t end; /* offset behind the last complete row */
} row_reader;

static dv_status add_line(row_reader *reader, const char *line, size_t size)
{
    while (reader->room - reader->size < size + 1)
        DV_TRY(dv_grow(reader->room, 1, &reader->room, &reader->row));
    memcpy(reader->row + reader->size, line, size);
    reader->size += size;
    reader->row[reader->size] = '\0';
    for (size_t i = 0; reader->format == DV_ROWS_CSV && i < size; i++)
        reader->quotes += line[i] == '"';
    return DV_OK;
}

/* Reads the next complete row; *there is false at the end. Text behind the last newline is not a
   row. */
static dv_status next_row(row_reader *reader, bool *there)
{
    reader->size = reader->quotes = 0;
    *there = false;
    do {
        ssize_t length = getline(&reader->line, &reader->line_room, reader->file);
        if (length < 0 && ferror(reader->file))
            return fail_errno(reader->path, "read");
        /* A power failure may leave zeros in place of the last rows. */
        if (length <= 0 || reader->line[length - 1] != '\n' || reader->line[0] == '\0')
            return DV_OK;
        DV_TRY(add_line(reader, reader->line, (size_t)length));
    } while (reader->quotes % 2 == 1);
    *there = true;
    reader->end += (int64_t)reader->size;
    return DV_OK;
}

/* Compares the name in the row with the next name of the list. */
static dv_status check_row(row_reader *reader, dv_names *names, dv_rows_file_state *state)
{
    dv_row_read row;
    const char *name;
    char *expected;
    DV_TRY(dv_names_next(names, true, &name));
    if (name == NULL)
        return DV_FAIL(DV_EARG, "%s: has more rows than there are files: row %lld belongs to none",
                       reader->path, (long long)state->done + 1);
    DV_TRY(dv_row_name(reader->format, name, &expected));
    bool good = dv_row_parse(reader->format, reader->row, reader->size, &row);
    dv_status status = DV_OK;
    if (!good)
        status = DV_FAIL(DV_EFORMAT, "%s: row %lld was not written by decavox", reader->path,
                         (long long)state->done + 1);
    else if (strcmp(row.file, expected) != 0)
        status = DV_FAIL(DV_EARG,
                         "%s: row %lld is of '%s', and the file with this number is '%s': the "
                         "list of files has changed; begin anew with another name for the rows",
                         reader->path, (long long)state->done + 1, row.file, expected);
    state->done++;
    state->failed += row.failed;
    dv_row_read_free(&row);
    free(expected);
    return status;
}

/* Reads all rows, behind the header of CSV. *end is the offset behind the last complete row. */
static dv_status read_rows(const char *path, int format, dv_names *names, dv_rows_file_state *state,
                           int64_t *end)
{
    row_reader reader = {.path = path, .format = format};
    bool there = true;
    *end = 0;
    DV_TRY(dv_input_open(path, &reader.file));
    dv_status status = DV_OK;
    if (format == DV_ROWS_CSV)
        status = next_row(&reader, &there);
    while (status == DV_OK && there) {
        status = next_row(&reader, &there);
        if (status == DV_OK && there)
            status = check_row(&reader, names, state);
    }
    *end = reader.end;
    fclose(reader.file);
    free(reader.row);
    free(reader.line);
    return status;
}

/* ---- The conditions of the rows ---- */

static dv_status fail_other(const dv_rows_file *file, const char *key, json_t *was, json_t *is)
{
    if (strcmp(key, DV_ROWS_WEIGHTS) == 0) /* two digests would tell a reader nothing */
        return DV_FAIL(
            DV_EARG,
            "%s: its rows were made with another model: use the same, or begin anew with "
            "another file",
            file->path);
    char *old = json_dumps(was, JSON_ENCODE_ANY), *new = json_dumps(is, JSON_ENCODE_ANY);
    dv_status status =
        DV_FAIL(DV_EARG,
                "%s: its rows were made with %s %s, and now it is %s: use the same, or begin anew "
                "with another file",
                file->path, key, old != NULL ? old : "null", new != NULL ? new : "null");
    free(old);
    free(new);
    return status;
}

/* Reads the conditions from the file beside the rows. *job is a new reference, or NULL if there is
   no such file. Returns DV_EIO if decavox did not write it. */
static dv_status read_job(const dv_rows_file *file, json_t **job)
{
    *job = NULL;
    if (access(file->job, F_OK) != 0)
        return DV_OK;
    dv_status status = dv_json_read(file->job, job);
    if (status == DV_OK && json_object_get(*job, DV_JSON_GENERATOR) != NULL)
        return DV_OK;
    json_decref(*job);
    *job = NULL;
    return DV_FAIL(
        DV_EIO,
        "%s: was not written by decavox and is not replaced; choose another name for the rows",
        file->job);
}

static dv_status check_job(const dv_rows_file *file, const json_t *made_with)
{
    json_t *job, *value;
    const char *key;
    DV_TRY(read_job(file, &job));
    if (job == NULL)
        return DV_FAIL(DV_EIO,
                       "%s is missing, which says how the rows beside it were made: begin anew",
                       file->job);
    dv_status status = DV_OK;
    json_object_foreach((json_t *)made_with, key, value)
    {
        json_t *was = json_object_get(job, key);
        if (status == DV_OK && !json_equal(was, value))
            status = fail_other(file, key, was, value);
    }
    json_decref(job);
    return status;
}

static dv_status write_job(const dv_rows_file *file, const json_t *made_with)
{
    json_t *job = json_pack("{s:s}", DV_JSON_GENERATOR, DV_JSON_DECAVOX);
    if (job == NULL || json_object_update(job, (json_t *)made_with) != 0) {
        json_decref(job);
        return DV_FAIL(DV_ENOMEM, "out of memory for %s", file->job);
    }
    return dv_json_write(file->job, job);
}

/* ---- Opening ---- */

static dv_status join(const char *path, const char *ending, char **out)
{
    size_t size = strlen(path) + strlen(ending) + 1;
    DV_TRY(dv_calloc(size, 1, out));
    snprintf(*out, size, "%s%s", path, ending);
    return DV_OK;
}

static dv_status make(const char *path, dv_rows_file **out)
{
    dv_rows_file *file;
    DV_TRY(dv_calloc(1, sizeof *file, &file));
    file->descriptor = -1;
    dv_status status = dv_strdup(path, &file->path);
    if (status == DV_OK)
        status = join(path, DV_ROWS_PART, &file->part);
    if (status == DV_OK)
        status = join(path, DV_ROWS_JOB, &file->job);
    if (status != DV_OK)
        dv_rows_file_leave(file);
    *out = status == DV_OK ? file : NULL;
    return status;
}

/* Opens the part, which may exist already, and locks it against other processes. */
static dv_status open_part(dv_rows_file *file, bool create)
{
    struct stat facts, named;
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0);
    file->descriptor = open(file->part, flags, 0666);
    if (file->descriptor < 0)
        return fail_errno(file->part, "written");
    if (fstat(file->descriptor, &facts) != 0 || !S_ISREG(facts.st_mode))
        return DV_FAIL(DV_EIO, "%s: is not a regular file", file->part);
    bool locked = flock(file->descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    /* Another process may meanwhile have completed it and given it its final name. */
    if (!locked || stat(file->part, &named) != 0 || named.st_dev != facts.st_dev ||
        named.st_ino != facts.st_ino)
        return DV_FAIL(DV_EARG, "%s: another process is writing these rows", file->path);
    return DV_OK;
}

static dv_status cut(dv_rows_file *file, int64_t size)
{
    if (ftruncate(file->descriptor, (off_t)size) != 0 ||
        lseek(file->descriptor, (off_t)size, SEEK_SET) < 0)
        return fail_errno(file->part, "written");
    return DV_OK;
}

/* Writes the text before the first row. */
static dv_status write_header(dv_rows_file *file, const dv_row_style *style)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory for %s", file->part);
    dv_rows_begin(style, out);
    dv_status status = fclose(out) == 0 ? dv_rows_file_write(file, text, size)
                                        : DV_FAIL(DV_ENOMEM, "out of memory for %s", file->part);
    free(text);
    return status;
}

static dv_status begin(dv_rows_file *file, const dv_rows_file_request *request)
{
    DV_TRY(cut(file, 0));
    DV_TRY(write_job(file, request->made_with));
    return write_header(file, request->style);
}

static dv_status go_on(dv_rows_file *file, const dv_rows_file_request *request, dv_names *names,
                       dv_rows_file_state *state)
{
    int64_t end = 0;
    if (lseek(file->descriptor, 0, SEEK_END) > 0) {
        DV_TRY(check_job(file, request->made_with));
        DV_TRY(read_rows(file->part, request->style->format, names, state, &end));
    }
    return end > 0 ? cut(file, end) : begin(file, request); /* 0 if killed before the first write */
}

/* Checks each row of a complete file. */
static dv_status look_at_complete(const dv_rows_file *file, const dv_rows_file_request *request,
                                  dv_names *names, dv_rows_file_state *state)
{
    int64_t end;
    const char *name;
    if (access(file->job, F_OK) == 0)
        DV_TRY(check_job(file, request->made_with));
    DV_TRY(read_rows(file->path, request->style->format, names, state, &end));
    DV_TRY(dv_names_next(names, true, &name));
    if (name != NULL)
        return DV_FAIL(DV_EARG,
                       "%s: ends after %lld rows, and there are more files, the first is '%s': the "
                       "list of files has changed; begin anew with another name for the rows",
                       file->path, (long long)state->done, name);
    state->complete = true;
    return DV_OK;
}

/* Continues existing rows if the request says so, and begins a new file if nothing prevents it. */
static dv_status open_file(dv_rows_file *file, const dv_rows_file_request *request, dv_names *names,
                           dv_rows_file_state *state)
{
    json_t *job;
    bool part = access(file->part, F_OK) == 0;
    DV_TRY(read_job(file, &job));
    json_decref(job);
    if (request->resume && part) {
        DV_TRY(open_part(file, false));
        return go_on(file, request, names, state);
    }
    if (request->resume && access(file->path, F_OK) == 0)
        return look_at_complete(file, request, names, state);
    if (part && !request->force)
        return DV_FAIL(DV_EARG,
                       "%s: holds the rows of a call that was interrupted; --resume goes on with "
                       "them, and --force begins anew",
                       file->part);
    if (part && !dv_output_is_ours(file->part, DV_OUTPUT_ROWS))
        return DV_FAIL(DV_EIO,
                       "%s: exists, and decavox did not write it; choose another name for the rows",
                       file->part);
    DV_TRY(open_part(file, true));
    return begin(file, request);
}

dv_status dv_rows_file_open(const dv_rows_file_request *request, dv_names *names,
                            dv_rows_file_state *state, dv_rows_file **out)
{
    dv_rows_file *file;
    *state = (dv_rows_file_state){.complete = false};
    *out = NULL;
    DV_TRY(make(request->path, &file));
    dv_status status = open_file(file, request, names, state);
    if (status != DV_OK || state->complete)
        dv_rows_file_leave(file);
    else
        *out = file;
    return status;
}

/* ---- Writing ---- */

dv_status dv_rows_file_write(dv_rows_file *file, const char *rows, size_t size)
{
    while (size > 0) {
        ssize_t count = write(file->descriptor, rows, size);
        if (count < 0 && errno != EINTR)
            return fail_errno(file->part, "written");
        rows += count > 0 ? count : 0;
        size -= count > 0 ? (size_t)count : 0;
    }
    return DV_OK;
}

dv_status dv_rows_file_finish(dv_rows_file *file)
{
    dv_status status = DV_OK;
    if (fsync(file->descriptor) != 0 && errno != EINVAL) /* EINVAL: it cannot be synchronised */
        status = fail_errno(file->part, "written");
    if (status == DV_OK && rename(file->part, file->path) != 0)
        status = fail_errno(file->path, "written");
    dv_rows_file_leave(file);
    return status;
}

void dv_rows_file_leave(dv_rows_file *file)
{
    if (file == NULL)
        return;
    if (file->descriptor >= 0)
        close(file->descriptor);
    free(file->path);
    free(file->part);
    free(file->job);
    free(file);
}

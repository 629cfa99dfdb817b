/* Decides whether a command may write the files that its command line names. */
#include "runner/experiment/output.h"
#include "engine/base/input_file.h"
#include "engine/base/json.h"
#include "frontends/model/checkpoint.h"
#include "frontends/model/safetensors.h"
#include "runner/experiment/home.h"
#include "runner/experiment/run_folder.h"
#include "runner/page/html.h"
#include "runner/page/svg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, HEAD_SIZE = 8192 };

enum { ARCHIVE_NAME = 30 }; /* where the name of a zip archive's first file begins */

bool dv_same_file(const char *path, const char *other)
{
    struct stat one, two;
    return stat(path, &one) == 0 && stat(other, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

/* ---- Names ---- */

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Copies the folder of the path. False if it is too long. */
static bool folder_of(const char *path, char folder[PATH_SIZE])
{
    int length = (int)(name_of(path) - path);
    if (length >= PATH_SIZE)
        return false;
    snprintf(folder, PATH_SIZE, "%.*s", length > 0 ? length : 2, length > 0 ? path : "./");
    return true;
}

/* Whether two paths name the same place. Neither needs to exist. */
static bool same_place(const char *path, const char *other)
{
    char folder[PATH_SIZE], other_folder[PATH_SIZE];
    if (strcmp(path, other) == 0 || dv_same_file(path, other))
        return true;
    return strcmp(name_of(path), name_of(other)) == 0 && folder_of(path, folder) &&
           folder_of(other, other_folder) && dv_same_file(folder, other_folder);
}

/* ---- The state of runs ---- */

/* Whether the path is part of a run's state, even if it does not exist yet, or its report. A run
   writes log.txt first, so that file marks the folder of a run. */
static bool is_run_state(const dv_outputs *outputs, const char *path)
{
    char folder[PATH_SIZE], slashed[PATH_SIZE];
    const char *name = name_of(path), *run = outputs->run != NULL ? outputs->run : "";
    bool is_report = !outputs->reports && strcmp(name, "report.html") == 0;
    if (!folder_of(path, folder) || !(dv_run_is_state(name) || is_report))
        return false;
    snprintf(slashed, sizeof slashed, "%s/", run);
    bool own = run[0] != '\0' && (strcmp(folder, slashed) == 0 || dv_same_file(folder, run));
    bool configures = strcmp(name, "config.yaml") == 0 && access(path, F_OK) == 0;
    return own || configures || dv_run_has(folder, "log.txt") || dv_run_has(folder, "metrics.csv");
}

/* ---- Existing files ---- */

/* How a kind of output is recognised. */
typedef struct output_mark {
    const char *kind, *text, *other; /* text: first bytes; other: alternative to `text`, or NULL */
    bool inside;                     /* `text` may stand behind measured values near the head */
} output_mark;

static const output_mark marks[DV_OUTPUT_KINDS] = {
    [DV_OUTPUT_JSON] = {"JSON", "{\n  \"" DV_JSON_GENERATOR "\": \"decavox ", NULL, false},
    [DV_OUTPUT_HTML] = {"a page", DV_HTML_BEGINS, NULL, false},
    [DV_OUTPUT_SVG] = {"a picture", DV_SVG_BEGINS, NULL, false},
    [DV_OUTPUT_CSV] = {"CSV", "model,path,parameters,bytes_fp32,bytes_fp16,", NULL, false},
    [DV_OUTPUT_TABLE] = {"a table", " parameters  FP32 MB   FP16 MB ", NULL, true},
    [DV_OUTPUT_ADVICE] = {"a recommendation", "\nrule       ", NULL, true},
    [DV_OUTPUT_DOT] = {"a graph", "digraph model {\n    node [shape=box];\n", NULL, false},
    /* The simulated device writes the first one, CUDA the second. */
    [DV_OUTPUT_STEP_DOT] = {"a graph", "digraph step {\n", "digraph dot {\n", false},
    [DV_OUTPUT_WEIGHTS] = {"weights", NULL, NULL, false},
    /* ONNX begins with its IR version and producer, an archive with the name of its first file. */
    [DV_OUTPUT_PROGRAM] = {"a model",
                           "\x08\x08\x12\x07"
                           "decavox",
                           DV_OUTPUT_ARCHIVE, false},
    [DV_OUTPUT_LABELS] = {"labels", "index,mid,display_name\n", NULL, false},
    [DV_OUTPUT_ROWS] = {"rows", "{\"file\":\"", "file,label,confidence,seconds,", false},
};

static bool begins_with(const char *text, const char *mark)
{
    return mark != NULL && strncmp(text, mark, strlen(mark)) == 0;
}

bool dv_output_is_ours(const char *path, dv_output_kind kind)
{
    const output_mark *mark = &marks[kind];
    char head[HEAD_SIZE];
    FILE *file;
    if (dv_input_open(path, &file) != DV_OK)
        return false;
    size_t size = fread(head, 1, sizeof head - 1, file);
    head[size] = '\0';
    fclose(file);
    if (kind == DV_OUTPUT_ROWS && size == 0) /* rows of no files */
        return true;
    bool archive = kind == DV_OUTPUT_PROGRAM && begins_with(head, "PK\x03\x04");
    return begins_with(head, mark->text) ||
           begins_with(head + (archive ? ARCHIVE_NAME : 0), mark->other) ||
           (mark->inside && strstr(head, mark->text) != NULL);
}

/* Whether the file is a checkpoint of decavox. *state tells whether it holds a training's state. */
static bool is_checkpoint(const char *path, bool *state)
{
    dv_checkpoint checkpoint;
    *state = false;
    if (dv_checkpoint_open(path, &checkpoint) != DV_OK)
        return false;
    bool ours = dv_safetensors_metadata(checkpoint.file, "decavox.format") != NULL;
    *state = checkpoint.state != NULL;
    dv_checkpoint_close(&checkpoint);
    return ours;
}

static dv_status fail_state(const dv_output *output)
{
    return DV_FAIL(DV_EARG,
                   "%s: '%s' is the state of a run, which is never replaced; choose another name",
                   output->option, output->path);
}

static dv_status fail_foreign(const dv_outputs *outputs, const dv_output *output, const char *what)
{
    return DV_FAIL(DV_EIO, "%s: '%s' exists and is %s; choose another name, or replace it with %s",
                   output->option, output->path, what,
                   outputs->force_option != NULL ? outputs->force_option : "--force");
}

/* Checks the existing file under the output's name. */
static dv_status check_present(const dv_outputs *outputs, const dv_output *output,
                               const struct stat *facts)
{
    bool state = false, regular = S_ISREG(facts->st_mode), link = S_ISLNK(facts->st_mode);
    if (!regular && !link)
        return DV_FAIL(DV_EIO, "%s: cannot write '%s': it exists and is not a regular file",
                       output->option, output->path);
    if (dv_audio_kind(output->path) != DV_NO_SOUND)
        return DV_FAIL(DV_EARG,
                       "%s: '%s' is a sound file, which is never replaced; choose another name",
                       output->option, output->path);
    bool weights = regular && is_checkpoint(output->path, &state);
    if (state)
        return fail_state(output);
    if (outputs->force)
        return DV_OK;
    if (link)
        return fail_foreign(outputs, output, "a symbolic link");
    if (output->kind == DV_OUTPUT_WEIGHTS ? weights : dv_output_is_ours(output->path, output->kind))
        return DV_OK;
    char what[64];
    snprintf(what, sizeof what, "not %s that decavox wrote", marks[output->kind].kind);
    return fail_foreign(outputs, output, what);
}

dv_status dv_outputs_check(const dv_outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        const dv_output *output = &outputs->list[i];
        struct stat facts;
        if (output->path[0] == '\0')
            continue;
        for (size_t k = 0; k < i; k++) {
            if (outputs->list[k].path[0] != '\0' && same_place(output->path, outputs->list[k].path))
                return DV_FAIL(DV_EARG, "the options %s and %s name the same file: '%s'",
                               outputs->list[k].option, output->option, output->path);
        }
        if (is_run_state(outputs, output->path))
            return fail_state(output);
        if (lstat(output->path, &facts) == 0)
            DV_TRY(check_present(outputs, output, &facts));
    }
    return DV_OK;
}

/* ---- Inputs ---- */

static dv_status spare(const dv_outputs *outputs, const char *what, const char *path)
{
    for (size_t i = 0; i < outputs->count; i++) {
        const dv_output *output = &outputs->list[i];
        if (output->path[0] != '\0' && dv_same_file(output->path, path))
            return DV_FAIL(DV_EARG,
                           "%s: '%s' is %s itself; an input is never replaced: choose another name",
                           output->option, output->path, what);
    }
    return DV_OK;
}

/* Spares the input that one item of a list names: a file, "PREFIX=FILE", or the name of a
   checkpoint that comes with decavox. */
static dv_status spare_part(const dv_outputs *outputs, const char *what, char *part)
{
    char path[DV_HOME_PATH_SIZE];
    size_t length = strlen(part);
    while (length > 0 && part[length - 1] == ' ')
        part[--length] = '\0';
    part += strspn(part, " ");
    DV_TRY(spare(outputs, what, part));
    dv_home_checkpoint(part, path, sizeof path);
    DV_TRY(spare(outputs, what, path));
    const char *equals = strchr(part, '=');
    return equals != NULL ? spare(outputs, what, equals + 1) : DV_OK;
}

dv_status dv_outputs_spare(const dv_outputs *outputs, const char *what, const char *text)
{
    char *copy, *rest;
    DV_TRY(spare(outputs, what, text));
    DV_TRY(dv_strdup(text, &copy));
    dv_status status = DV_OK;
    for (char *part = strtok_r(copy, ",", &rest); status == DV_OK && part != NULL;
         part = strtok_r(NULL, ",", &rest))
        status = spare_part(outputs, what, part);
    free(copy);
    return status;
}

dv_status dv_outputs_spare_tree(const dv_outputs *outputs, const dv_tree *tree)
{
    if (tree == NULL)
        return DV_OK;
    if (tree->source != NULL)
        DV_TRY(spare(outputs, "the configuration", tree->source));
    if (tree->kind == DV_TREE_SCALAR)
        DV_TRY(dv_outputs_spare(outputs, "an input", tree->text));
    for (size_t i = 0; i < tree->count; i++)
        DV_TRY(dv_outputs_spare_tree(outputs, tree->children[i]));
    return DV_OK;
}

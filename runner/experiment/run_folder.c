/* The folder of a run: its lock, its log, its metrics, and the checks before a run begins or is
   resumed. */
#include "runner/experiment/run_folder.h"
#include "frontends/audio/audio.h"
#include "engine/base/atomic_file.h"
#include "engine/base/folder.h"
#include "engine/base/input_file.h"
#include "engine/base/text.h"
#include "engine/base/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- The folder ---- */

/* Locks with flock: a lock of F_SETLK would belong to the whole process, and end when the process
   closes any descriptor of the folder. O_CLOEXEC keeps programs that the host starts from holding
   the lock. */
dv_status dv_lock_folder(const char *path, const char *by, int *lock)
{
    *lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*lock < 0)
        return DV_FAIL(DV_EIO, "cannot open the folder %s: %s", path, strerror(errno));
    if (flock(*lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return DV_FAIL(DV_EARG, "%s is in use: %s", path, by);
    return DV_OK; /* also on file systems without locks */
}

/* ---- The run in it ---- */

static const char events_prefix[] = "events.out.tfevents.";
static const char page[] = "report.html", summary[] = "crossval.json";

/* The files that a run or a cross-validation writes completely or not at all. */
static const char *const run_files[] = {"config.yaml",
                                        "last.safetensors",
                                        "model.safetensors",
                                        "metrics.csv",
                                        "confusion.csv",
                                        "report.json",
                                        page,
                                        summary};
enum { RUN_FILES = sizeof run_files / sizeof run_files[0] };

bool dv_run_is_events(const char *name)
{
    return strncmp(name, events_prefix, sizeof events_prefix - 1) == 0;
}

bool dv_run_is_state(const char *name)
{
    if (dv_run_is_events(name) || strcmp(name, "log.txt") == 0)
        return true;
    for (size_t i = 0; i < RUN_FILES; i++) {
        if (strcmp(name, run_files[i]) == 0)
            return run_files[i] != page && run_files[i] != summary;
    }
    return false;
}

static dv_status fail_foreign(const char *path, const char *file)
{
    return DV_FAIL(DV_EARG, "%s holds the %s of a run: move it away, or choose another folder",
                   path, file);
}

/*
 * Refuses a folder for a new run that holds files which the run would replace or take for its own.
 * A log.txt is allowed: a training that failed before its beginning leaves one, and it is
 * continued.
 */
static dv_status check_free(const char *path)
{
    if (dv_run_has(path, "config.yaml"))
        return DV_FAIL(DV_EARG, "%s holds a run already: resume it, or choose another folder",
                       path);
    for (size_t i = 0; i < RUN_FILES; i++) {
        if (dv_run_has(path, run_files[i]))
            return fail_foreign(path, run_files[i]);
    }
    dv_status status = dv_run_has(path, "pretrain") ? fail_foreign(path, "pretrain") : DV_OK;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return DV_FAIL(DV_EIO, "cannot read the folder %s: %s", path, strerror(errno));
    for (struct dirent *entry; status == DV_OK && (entry = readdir(directory)) != NULL;) {
        if (dv_run_is_events(entry->d_name))
            status = fail_foreign(path, entry->d_name);
        else if (dv_audio_kind(entry->d_name) == DV_SOUND)
            status = DV_FAIL(DV_EARG, "%s holds recordings ('%.80s'): choose another folder", path,
                             entry->d_name);
    }
    closedir(directory);
    return status;
}

/*
 * Refuses to resume in a folder without a run, or with a finished run without a state, as a
 * cross-validation leaves it: from config.yaml alone that run would begin again and overwrite its
 * results.
 */
static dv_status check_begun(const char *path)
{
    if (dv_run_has(path, "last.safetensors"))
        return DV_OK;
    if (!dv_run_has(path, "config.yaml"))
        return DV_FAIL(DV_EARG, "%s holds no run: it has neither config.yaml nor last.safetensors",
                       path);
    static const char *const ends[] = {"model.safetensors", "report.json"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (dv_run_has(path, ends[i]))
            return DV_FAIL(
                DV_EARG,
                "the run in %s is finished: it has %s, and no last.safetensors to go on from; to "
                "train further, begin another run in another folder with train.init_from%s%s%s",
                path, ends[i], i == 0 ? " " : "", i == 0 ? path : "",
                i == 0 ? "/model.safetensors" : "");
    }
    return DV_OK;
}

static bool is_temporary(int folder, const char *name)
{
    struct stat facts;
    bool named = false;
    for (size_t i = 0; i < RUN_FILES && !named; i++)
        named = dv_atomic_file_is_temporary(name, run_files[i]);
    return named && fstatat(folder, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(facts.st_mode);
}

void dv_run_sweep(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (is_temporary(dirfd(directory), entry->d_name))
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
    }
    closedir(directory);
}

/* Locks the folder before the checks, so that no other training changes it between the checks and
   the first write. */
dv_status dv_run_folder_open(const char *path, bool resume, const dv_observer *observer,
                             dv_run_folder *out)
{
    *out = (dv_run_folder){.observer = observer};
    out->lock = -1;
    if (strlen(path) >= sizeof out->path)
        return DV_FAIL(DV_EARG, "the path of the run's folder is too long: %.60s...", path);
    strcpy(out->path, path);
    if (!resume)
        DV_TRY(dv_make_folders(path));
    DV_TRY(dv_lock_folder(path, "another training is at work there", &out->lock));
    DV_TRY(resume ? check_begun(path) : check_free(path));
    char file[DV_RUN_PATH_SIZE];
    dv_run_folder_path(out, "pretrain", file);
    dv_run_sweep(path);
    dv_run_sweep(file);
    dv_run_folder_path(out, "log.txt", file);
    out->log = fopen(file, "a"); /* if stderr is the same file, neither overwrites the other */
    if (out->log == NULL)
        return DV_FAIL(DV_EIO, "cannot write %s: %s", file, strerror(errno));
    return DV_OK;
}

void dv_run_folder_path(const dv_run_folder *folder, const char *file, char path[DV_RUN_PATH_SIZE])
{
    int length = snprintf(path, DV_RUN_PATH_SIZE, "%s/%s", folder->path, file);
    DV_ASSERT(length < DV_RUN_PATH_SIZE); /* the folder's path leaves room for the run's names */
}

bool dv_run_has(const char *path, const char *file)
{
    char name[DV_RUN_PATH_SIZE + 64];
    int length = snprintf(name, sizeof name, "%s/%s", path, file);
    return length > 0 && (size_t)length < sizeof name && access(name, F_OK) == 0;
}

bool dv_run_has_begun(const char *path)
{
    return dv_run_has(path, "config.yaml") || dv_run_has(path, "last.safetensors");
}

void dv_run_remove_unbegun(const char *path)
{
    char log[DV_RUN_PATH_SIZE + 64];
    if (dv_run_has_begun(path) || dv_run_has(path, "pretrain"))
        return;
    int length = snprintf(log, sizeof log, "%s/log.txt", path);
    if (length > 0 && (size_t)length < sizeof log)
        (void)unlink(log);
    (void)rmdir(path);
}

dv_status dv_run_write_tree(const dv_run_folder *folder, const char *file, const dv_tree *tree)
{
    char path[DV_RUN_PATH_SIZE], *text;
    dv_run_folder_path(folder, file, path);
    DV_TRY(dv_yaml_write(tree, &text));
    dv_status status = dv_atomic_file_store(path, text, strlen(text));
    free(text);
    return status;
}

/* ---- The log ---- */

static void observe(const dv_run_folder *folder, dv_log_level level, const char *line)
{
    if (folder->observer != NULL && folder->observer->line != NULL)
        folder->observer->line(folder->observer->user, level, line);
}

/* Flushes the log, and warns the observer once if that fails. */
static void flush_log(dv_run_folder *folder)
{
    errno = 0;
    bool good = fflush(folder->log) == 0 && ferror(folder->log) == 0;
    if (!good && !folder->log_failed) {
        char line[DV_SHOWN_SIZE];
        const char *reason = errno != 0 ? strerror(errno) : "an earlier write failed";
        snprintf(line, sizeof line, "%.900s/log.txt cannot be written (%s): the training goes on",
                 dv_show(folder->path).text, reason);
        observe(folder, DV_LOG_WARNING, line);
    }
    folder->log_failed = folder->log_failed || !good;
    clearerr(folder->log);
}

/* Writes a line, which must be safe to print, to the log and the observer. */
static void tell(dv_run_folder *folder, dv_log_level level, const char *line)
{
    fprintf(folder->log, "%s%s\n", level == DV_LOG_WARNING ? "warning: " : "", line);
    if (level == DV_LOG_DEBUG)
        return;
    flush_log(folder);
    observe(folder, level, line);
}

/* The line may hold names from users, so it is made safe to print. */
void dv_run_line(dv_run_folder *folder, dv_log_level level, const char *line)
{
    tell(folder, level, dv_show(line).text);
}

static void tell_formatted(dv_run_folder *folder, dv_log_level level, const char *format,
                           va_list arguments)
{
    char line[DV_SHOWN_SIZE];
    vsnprintf(line, sizeof line, format, arguments);
    dv_run_line(folder, level, line);
}

void dv_run_tell(dv_run_folder *folder, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell_formatted(folder, DV_LOG_INFO, format, arguments);
    va_end(arguments);
}

void dv_run_warn(dv_run_folder *folder, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell_formatted(folder, DV_LOG_WARNING, format, arguments);
    va_end(arguments);
}

void dv_run_tell_lines(dv_run_folder *folder, const char *text)
{
    for (const char *end; text != NULL && (end = strchr(text, '\n')) != NULL; text = end + 1)
        dv_run_tell(folder, "%.*s", (int)(end - text), text);
}

dv_status dv_run_tell_text(dv_run_folder *folder, void (*write)(const void *user, FILE *out),
                           const void *user)
{
    char *text;
    size_t size;
    DV_TRY(dv_text_of(write, user, &text, &size));
    char *line = text;
    for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        tell(folder, DV_LOG_INFO, line);
    }
    free(text);
    return DV_OK;
}

void dv_run_folder_close(dv_run_folder *folder)
{
    if (folder->log != NULL) {
        flush_log(folder);
        fclose(folder->log);
    }
    folder->log = NULL;
    dv_run_events_close(folder);
    if (folder->lock >= 0)
        close(folder->lock);
    folder->lock = -1;
}

/* ---- metrics.csv ---- */

static const char header[] = "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,"
                             "learning_rate,gradient_norm,loss_scale,skipped_steps,seconds\n";

/* Copies the complete rows of the first `epochs` epochs from the existing file. */
static dv_status kept_rows(const char *path, int64_t epochs, dv_atomic_file *out)
{
    FILE *file;
    if (epochs <= 0 || dv_input_open(path, &file) != DV_OK)
        return DV_OK;
    char line[512];
    dv_status status = DV_OK;
    while (status == DV_OK && fgets(line, sizeof line, file) != NULL) {
        int64_t epoch;
        if (sscanf(line, "%" SCNd64 ",", &epoch) == 1 && epoch <= epochs &&
            strchr(line, '\n') != NULL)
            status = dv_atomic_file_write(out, line, strlen(line));
    }
    fclose(file);
    return status;
}

static bool has_rows(const char *path)
{
    char line[512];
    FILE *file;
    if (dv_input_open(path, &file) != DV_OK)
        return false;
    bool found = fgets(line, sizeof line, file) != NULL && fgets(line, sizeof line, file) != NULL;
    fclose(file);
    return found;
}

/* Keeps the rows of a run that lost its state, or was killed before it had one, and so begins
   again: under the first free name of metrics-1.csv, metrics-2.csv, .... */
static dv_status keep_rows(dv_run_folder *folder, const char *path)
{
    char name[32], kept[DV_RUN_PATH_SIZE];
    int number = 1;
    do {
        snprintf(name, sizeof name, "metrics-%d.csv", number++);
    } while (dv_run_has(folder->path, name));
    dv_run_folder_path(folder, name, kept);
    if (rename(path, kept) != 0)
        return DV_FAIL(DV_EIO, "cannot keep %s as %s: %s", path, kept, strerror(errno));
    dv_run_warn(folder,
                "there is no last.safetensors to go on from, so the run begins again at epoch 1; "
                "its metrics until now are kept as %s",
                kept);
    return DV_OK;
}

dv_status dv_run_metrics_begin(dv_run_folder *folder, int64_t epochs)
{
    char path[DV_RUN_PATH_SIZE];
    dv_run_folder_path(folder, "metrics.csv", path);
    if (epochs < 0 && has_rows(path))
        DV_TRY(keep_rows(folder, path));
    dv_atomic_file *file;
    DV_TRY(dv_atomic_file_open(path, &file));
    dv_status status = dv_atomic_file_write(file, header, strlen(header));
    if (status == DV_OK)
        status = kept_rows(path, epochs, file);
    if (status == DV_OK)
        return dv_atomic_file_commit(file);
    dv_atomic_file_abort(file);
    return status;
}

dv_status dv_run_metrics_add(const dv_run_folder *folder, const dv_epoch_metrics *metrics)
{
    char path[DV_RUN_PATH_SIZE];
    dv_run_folder_path(folder, "metrics.csv", path);
    FILE *file = fopen(path, "a");
    if (file == NULL)
        return DV_FAIL(DV_EIO, "cannot write %s: %s", path, strerror(errno));
    fprintf(file, "%" PRId64 ",%.6f,%.6f,%.6f,%.6f,%.6g,%.6g,%g,%" PRId64 ",%.3f\n", metrics->epoch,
            metrics->train_loss, metrics->train_accuracy, metrics->validation_loss,
            metrics->validation_accuracy, metrics->learning_rate, metrics->gradient_norm,
            metrics->loss_scale, metrics->skipped, metrics->seconds);
    if (fclose(file) != 0)
        return DV_FAIL(DV_EIO, "cannot write %s: %s", path, strerror(errno));
    return DV_OK;
}

/* The seconds stand in the last column. A line that ends in no number, as the header, has none. */
double dv_run_seconds(const dv_run_folder *folder)
{
    char path[DV_RUN_PATH_SIZE], line[512];
    double sum = 0;
    FILE *file;
    dv_run_folder_path(folder, "metrics.csv", path);
    if (dv_input_open(path, &file) != DV_OK)
        return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        const char *comma = strrchr(line, ',');
        double seconds = comma != NULL ? strtod(comma + 1, NULL) : 0;
        sum += isfinite(seconds) ? seconds : 0;
    }
    fclose(file);
    return sum;
}

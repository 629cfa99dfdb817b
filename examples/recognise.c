/*
 * Prints the word in each sound file, and its probability.
 *
 *     cc recognise.c -o recognise $(pkg-config --cflags --libs decavox)
 *     ./recognise MODEL.safetensors one.wav two.flac ...
 *
 * One call gets all files: the threads of the session read them in parallel, and the network
 * computes 16 at a time.
 */
#include <decavox.h>
#include <stdio.h>
#include <stdlib.h>

static void print_warning(void *user, dv_log_level level, const char *message)
{
    (void)user;
    if (level == DV_LOG_WARNING)
        fprintf(stderr, "warning: %s\n", message);
}

static size_t best_of(const float *probabilities, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        best = probabilities[i] > probabilities[best] ? i : best;
    return best;
}

static void print_answers(const dv_model *model, const char *const *paths, size_t count,
                          const float *probabilities, const dv_seen *seen,
                          const dv_status *statuses)
{
    size_t labels = dv_model_label_count(model);
    for (size_t i = 0; i < count; i++) {
        const float *row = probabilities + i * labels;
        size_t best = best_of(row, labels);
        if (statuses[i] == DV_OK)
            printf("%s: %s, %.1f %%, from %.2f to %.2f s of %.2f s\n", paths[i],
                   dv_model_label(model, best), 100 * (double)row[best], seen[i].from, seen[i].to,
                   seen[i].seconds);
        else
            printf("%s: %s\n", paths[i], dv_status_text(statuses[i]));
    }
}

/* Answers the files and prints the answers. Files that can be read are answered even if another one
   fails. */
static dv_status recognise(const dv_model *model, dv_session *session, const char *const *paths,
                           size_t count)
{
    size_t labels = dv_model_label_count(model);
    float *probabilities = (float *)calloc(count * labels, sizeof *probabilities);
    dv_seen *seen = (dv_seen *)calloc(count, sizeof *seen);
    dv_status *statuses = (dv_status *)calloc(count, sizeof *statuses);
    dv_status status = DV_ENOMEM;
    if (probabilities != NULL && seen != NULL && statuses != NULL) {
        status = dv_session_files(session, paths, count, probabilities, seen, statuses);
        print_answers(model, paths, count, probabilities, seen, statuses);
    }
    free(probabilities);
    free(seen);
    free(statuses);
    return status;
}

/* Opens the model and a session for many files, and answers the files. */
int main(int argc, char **argv)
{
    dv_model *model = NULL;
    dv_session *session = NULL;
    dv_model_options options = dv_model_options_default();
    dv_session_options how = dv_session_options_default();
    options.log = print_warning;
    how.capacity = 16;
    how.threads = -1; /* one per physical core */
    if (argc < 3) {
        fprintf(stderr, "usage: recognise MODEL.safetensors FILE...\n");
        return 2;
    }
    dv_status status = dv_model_open(argv[1], &options, &model);
    if (status == DV_OK)
        status = dv_session_create(model, &how, &session);
    if (status == DV_OK)
        status = recognise(model, session, (const char *const *)argv + 2, (size_t)argc - 2);
    if (status != DV_OK)
        fprintf(stderr, "recognise: %s\n", dv_error_message());
    dv_session_free(session);
    dv_model_close(model);
    return status == DV_OK ? 0 : 1;
}

/*
 * Listens to a stream of samples and prints each word with its time as soon as it is heard.
 *
 *     cc stream.c -o stream $(pkg-config --cflags --libs decavox)
 *     arecord -q -t raw -f S16_LE -r 16000 -c 1 | ./stream MODEL.safetensors 16000
 *
 * Standard input holds 16-bit samples of one channel at the given rate. A window begins every
 * eighth of a second, and the probabilities of three windows are averaged.
 */
#include <decavox.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A threshold above 1 keeps labels that are not words from being reported. */
static float threshold_of(const char *label)
{
    int is_word = strcmp(label, "_silence_") != 0 && strcmp(label, "_unknown_") != 0;
    return is_word ? 0.8F : 2.0F;
}

static dv_status open_stream(dv_model *model, dv_session *session, int64_t rate, dv_stream **out)
{
    size_t labels = dv_model_label_count(model);
    float *thresholds = (float *)calloc(labels, sizeof *thresholds);
    dv_stream_options options = dv_stream_options_default();
    if (thresholds == NULL)
        return DV_ENOMEM;
    for (size_t i = 0; i < labels; i++)
        thresholds[i] = threshold_of(dv_model_label(model, i));
    options.sample_rate = rate;
    options.hop = 0.125;
    options.smoothing = 0.25;
    options.thresholds = thresholds; /* the stream copies them */
    dv_status status = dv_stream_create(session, &options, out);
    free(thresholds);
    return status;
}

static dv_status print_words(const dv_model *model, dv_stream *stream)
{
    dv_stream_window window;
    int there = 1;
    while (there) {
        dv_status status = dv_stream_poll(stream, &window, &there);
        if (status != DV_OK)
            return status;
        if (there && window.heard) {
            printf("%8.2f s  %-12s %.2f\n", window.to, dv_model_label(model, window.label),
                   (double)window.probability);
            fflush(stdout);
        }
    }
    return DV_OK;
}

static dv_status listen_to(FILE *input, const dv_model *model, dv_stream *stream)
{
    int16_t samples[512];
    size_t count;
    dv_status status = DV_OK;
    while (status == DV_OK && (count = fread(samples, sizeof *samples, 512, input)) > 0) {
        status = dv_stream_accept_int16(stream, samples, count);
        if (status == DV_OK)
            status = print_words(model, stream);
    }
    if (status == DV_OK)
        status = dv_stream_end(stream);
    return status == DV_OK ? print_words(model, stream) : status;
}

/* Opens the model, the session and the stream, and frees them in the opposite order. */
int main(int argc, char **argv)
{
    dv_model *model = NULL;
    dv_session *session = NULL;
    dv_stream *stream = NULL;
    long rate = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    if (rate < 1) {
        fprintf(stderr, "usage: stream MODEL.safetensors RATE <SAMPLES\n");
        return 2;
    }
    dv_status status = dv_model_open(argv[1], NULL, &model);
    if (status == DV_OK)
        status = dv_session_create(model, NULL, &session);
    if (status == DV_OK)
        status = open_stream(model, session, rate, &stream);
    if (status == DV_OK)
        status = listen_to(stdin, model, stream);
    if (status != DV_OK)
        fprintf(stderr, "stream: %s\n", dv_error_message());
    dv_stream_free(stream);
    dv_session_free(session);
    dv_model_close(model);
    return status == DV_OK ? 0 : 1;
}

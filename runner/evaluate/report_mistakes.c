/* The page's section of the worst mistakes, with a spectrogram and the sound of each. */
#include "runner/evaluate/report_html.h"
#include "runner/page/html.h"
#include "runner/page/svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MISTAKES = 12 };

typedef struct mistake {
    int64_t clip, answer;
    double confidence;
} mistake;

typedef struct mistake_list {
    mistake worst[MISTAKES]; /* by falling confidence */
    int shown;
    int64_t count; /* number of all mistakes */
} mistake_list;

/* ---- Which ---- */

static void add_mistake(mistake_list *found, const mistake *one)
{
    int place = found->shown;
    while (place > 0 && found->worst[place - 1].confidence < one->confidence)
        place--;
    found->count++;
    if (place == MISTAKES)
        return;
    found->shown += found->shown < MISTAKES;
    for (int i = found->shown - 1; i > place; i--)
        found->worst[i] = found->worst[i - 1];
    found->worst[place] = *one;
}

static dv_status find_mistakes(const dv_report *report, mistake_list *found)
{
    int64_t classes = report->confusion.classes;
    double *probabilities;
    memset(found, 0, sizeof *found);
    DV_TRY(dv_calloc((size_t)classes, sizeof *probabilities, &probabilities));
    for (int64_t i = 0; i < report->count; i++) {
        const float *logits = report->logits + i * classes;
        mistake one = {.clip = i, .answer = dv_argmax(logits, classes)};
        if (one.answer == report->truth[i])
            continue;
        dv_softmax(logits, classes, probabilities);
        one.confidence = probabilities[one.answer];
        add_mistake(found, &one);
    }
    free(probabilities);
    return DV_OK;
}

/* ---- What the model saw ---- */

enum { SOUNDS = 1500000 }; /* characters of a page for sounds, so that it stays under 2 MB */

enum { BANDS = 40, FRAMES = 64, DECIBELS = 60 };

/* A Hann window of 32 ms, and bins of at most 16 Hz, so that the lowest band holds one at every
   sample rate there is. */
dv_features_config dv__html_picture_config(const dv_features_config *config)
{
    dv_features_config picture = *config;
    int64_t samples = llround(config->duration * (double)config->sample_rate);
    picture.type = DV_FEATURES_MEL;
    picture.n_mels = BANDS;
    picture.window = config->sample_rate * 32 / 1000;
    picture.n_fft = 16;
    while (picture.n_fft < 2 * picture.window)
        picture.n_fft *= 2;
    picture.hop = samples >= FRAMES ? samples / FRAMES : 1;
    if (picture.hop > 32768)
        picture.hop = 32768;
    picture.fmin = 0;
    picture.fmax = 0;
    picture.mel_scale = DV_MEL_SLANEY;
    picture.mel_norm = DV_MEL_NORM_SLANEY;
    picture.top_db = DECIBELS;
    picture.mean = DV_OVER_NONE;
    picture.deviation = DV_OVER_NONE;
    return picture;
}

/* The tools for all pictures and sounds. */
typedef struct picture_tools {
    dv_frontend *frontend;
    float *window;   /* (samples) */
    float *features; /* (rows, frames) */
    void *scratch;
    size_t room; /* characters that the page has left for sounds */
} picture_tools;

static void tools_free(picture_tools *tools)
{
    dv_frontend_free(tools->frontend);
    free(tools->window);
    free(tools->features);
    free(tools->scratch);
}

static dv_status tools_create(const dv_features_config *config, picture_tools *out)
{
    dv_features_config picture = dv__html_picture_config(config);
    out->room = SOUNDS;
    DV_TRY(dv_frontend_create(&picture, &out->frontend));
    size_t samples = (size_t)dv_frontend_samples(out->frontend);
    size_t cells = (size_t)(dv_frontend_rows(out->frontend) * dv_frontend_frames(out->frontend));
    DV_TRY(dv_calloc(samples, sizeof *out->window, &out->window));
    DV_TRY(dv_calloc(cells, sizeof *out->features, &out->features));
    size_t scratch = (dv_frontend_scratch(out->frontend) + 64) / 64 * 64;
    out->scratch = aligned_alloc(64, scratch);
    return out->scratch != NULL ? DV_OK : DV_FAIL(DV_ENOMEM, "out of memory: %zu bytes", scratch);
}

/* Writes a path or the end of it, and where in the file a stretch begins. */
static void put_name(FILE *out, const dv_clip *clip, const char *name)
{
    dv_svg_text(out, name);
    if (clip->length > 0)
        fprintf(out, " at %.3f s", clip->start);
}

/* Draws the window that the model saw, and leaves it in tools->window. The clip was prepared, and
   its centre found, by the model's own front-end. */
static void put_picture(FILE *out, picture_tools *tools, const dv_clip *clip, int number)
{
    int64_t rows = dv_frontend_rows(tools->frontend);
    int64_t frames = dv_frontend_frames(tools->frontend);
    dv_frontend_cut(tools->frontend, clip->samples, clip->count, clip->center, 0, 1, tools->window);
    dv_frontend_compute(tools->frontend, tools->window, tools->features, tools->scratch);
    double loudest = -INFINITY, softest = INFINITY;
    for (int64_t i = 0; i < rows * frames; i++) {
        loudest = fmax(loudest, (double)tools->features[i]);
        softest = fmin(softest, (double)tools->features[i]);
    }
    if (softest == loudest) /* silence is shown dark */
        loudest += DECIBELS;
    fprintf(out,
            "<svg class=\"sound\" viewBox=\"0 0 %lld %lld\" preserveAspectRatio=\"none\" "
            "role=\"img\" aria-labelledby=\"sound%d-title\">\n<title id=\"sound%d-title\">",
            (long long)frames, (long long)rows, number, number);
    fputs("log-mel spectrogram of ", out);
    put_name(out, clip, clip->path);
    fprintf(out, "</title>\n<rect class=\"v0\" width=\"%lld\" height=\"%lld\"/>\n",
            (long long)frames, (long long)rows);
    fputs("<g transform=\"translate(0 0.5)\">\n", out);
    dv_svg_levels(out, tools->features, rows, frames, loudest - DECIBELS, loudest);
    fputs("</g>\n</svg>\n", out);
}

/* Writes a player of the window of the last picture, while the page has room for it. */
static void put_sound(FILE *out, picture_tools *tools)
{
    int64_t samples = dv_frontend_samples(tools->frontend);
    size_t size = dv_html_sound_size(samples);
    if (size > tools->room)
        return;
    tools->room -= size;
    dv_html_sound(out, tools->window, samples, dv_frontend_config(tools->frontend)->sample_rate);
}

/* ---- The section ---- */

/* Writes picture, sound, file, true class and answer of a mistake. */
static void put_mistake(FILE *out, const dv_report *report, picture_tools *tools,
                        const mistake *one, int number)
{
    const dv_clip *clip = report->clips[one->clip];
    const char *slash = strrchr(clip->path, '/');
    fputs("<figure>\n", out);
    put_picture(out, tools, clip, number);
    put_sound(out, tools);
    fputs("<figcaption><span class=\"file\" title=\"", out);
    put_name(out, clip, clip->path);
    fputs("\">", out);
    put_name(out, clip, slash != NULL ? slash + 1 : clip->path);
    fputs("</span><br/>true <b>", out);
    dv_svg_text(out, dv_model_label(report->model, (size_t)report->truth[one->clip]));
    fputs("</b>, answered <b>", out);
    dv_svg_text(out, dv_model_label(report->model, (size_t)one->answer));
    fprintf(out, "</b><br/>confidence %.1f&#160;%%</figcaption>\n</figure>\n",
            100 * one->confidence);
}

static void put_legend(FILE *out, const dv_features_config *config)
{
    fprintf(out,
            "Each picture is the window that the model saw, as a log-mel spectrogram: %g s from "
            "left to right, 0 to %g Hz upwards, the loudest %d dB from dark to bright. The player "
            "below it plays the same window.</p>\n",
            config->duration, (double)config->sample_rate / 2, DECIBELS);
}

/* Tells how many mistakes there are, and shows the most confident ones. */
static dv_status put_worst(FILE *out, const dv_report *report, const mistake_list *found)
{
    const dv_features_config *config = dv_frontend_config(dv_model_frontend(report->model));
    picture_tools tools = {0};
    dv_status status = tools_create(config, &tools);
    if (status == DV_OK) {
        fprintf(out, "<p>%lld of %lld answers are wrong", (long long)found->count,
                (long long)report->count);
        if (found->count > found->shown)
            fprintf(out, "; these %d are the most confident ones", found->shown);
        else if (found->count > 1)
            fputs(", the most confident one first", out);
        fputs(". ", out);
        put_legend(out, config);
        fputs("<div class=\"sounds\">\n", out);
        for (int i = 0; i < found->shown; i++)
            put_mistake(out, report, &tools, &found->worst[i], i + 1);
        fputs("</div>\n", out);
    }
    tools_free(&tools);
    return status;
}

dv_status dv__html_mistakes(FILE *out, const dv_report *report)
{
    mistake_list found;
    dv_status status = DV_OK;
    DV_TRY(find_mistakes(report, &found));
    fputs("<section>\n<h2>Worst mistakes</h2>\n", out);
    if (found.count == 0)
        fprintf(out, "<p>No mistakes: all %lld answers are right.</p>\n", (long long)report->count);
    else
        status = put_worst(out, report, &found);
    fputs("</section>\n", out);
    return status;
}

/* Makes each clip with espeak-ng and mixes the speech with noise. */
#include "runner/synth/synth.h"

#include "engine/base/rng.h"
#include "frontends/audio/audio.h"
#include "runner/experiment/output.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORDS = 64, MAX_WORD = 48, MAX_JOBS = 64, MAX_NAME = 40, MAX_PATH = 1024 };

/* The steps of DV_RNG_SYNTH. The noise of clip i has the step NOISE_STEP + i. */
enum { VOICE_STEP, CLIP_STEP, NOISE_STEP };

/* A voice is an accent with a variant, by espeak-ng's names. Voices that need MBROLA, whisper or
   sound like machines are omitted. */
static const char *const accents[] = {
    "en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029",
};
static const char *const variants[] = {
    "",   "m1", "m2", "m3", "m4",   "m5",    "m6",    "m7",    "m8",    "f1",
    "f2", "f3", "f4", "f5", "Andy", "Annie", "steph", "linda", "david", "adam",
};
enum {
    ACCENT_COUNT = sizeof accents / sizeof accents[0],
    VARIANT_COUNT = sizeof variants / sizeof variants[0],
    VOICE_COUNT = ACCENT_COUNT * VARIANT_COUNT,
};

/* clang-format off */
const dv_field dv_synth_fields[] = {
    DV_PATH(dv_synth_config, out, DV_REQUIRED, "folder to write to; it is made if it is missing"),
    DV_STRING(dv_synth_config, words, "0,1,2,3,4,5,6,7,8,9",
        "words to speak (comma-separated), which are also the labels; digits are read as words"),
    DV_INT(dv_synth_config, voices, "40", 1, VOICE_COUNT,
        "number of voices, drawn at random"),
    DV_INT(dv_synth_config, takes, "1", 1, 1000, "clips of each word by each voice"),
    DV_INT(dv_synth_config, seed, "0", 0, 4294967295.0,
        "random seed of voices, rates, pitches, levels and noise"),
    DV_INT(dv_synth_config, sample_rate, "8000", 4000, 96000, "sample rate of the files, Hz"),
    DV_INT(dv_synth_config, jobs, "2", 1, MAX_JOBS, "number of espeak-ng processes at a time"),
    DV_END,
};
/* clang-format on */

static const char *const digits[] = {"zero", "one", "two",   "three", "four",
                                     "five", "six", "seven", "eight", "nine"};

typedef struct synth_job {
    pid_t pid; /* 0 stands for none */
    int64_t clip;
    char sound[MAX_PATH]; /* file that espeak-ng writes, removed afterwards */
} synth_job;

typedef struct synth {
    const dv_synth_config *config;
    char words[MAX_WORDS][MAX_WORD];
    int64_t word_count;
    int64_t voices[VOICE_COUNT]; /* a shuffled order; the first config->voices are used */
    int64_t total;               /* clips */
    synth_job jobs[MAX_JOBS];
} synth;

/* The parameters of one clip. */
typedef struct synth_take {
    int rate;             /* words per minute */
    int pitch;            /* 0..99 */
    double peak;          /* 0..1 */
    double noise;         /* level of the noise relative to the RMS of the speech */
    double colour;        /* pole of the low-pass for the noise: 0 is white, 1 is dark */
    double before, after; /* s of pure noise */
} synth_take;

static int64_t voice_of(const synth *s, int64_t clip)
{
    return s->voices[clip / (s->word_count * s->config->takes)];
}

static const char *word_of(const synth *s, int64_t clip)
{
    return s->words[clip / s->config->takes % s->word_count];
}

static const char *spoken(const char *word)
{
    bool digit = word[0] >= '0' && word[0] <= '9' && word[1] == '\0';
    return digit ? digits[word[0] - '0'] : word;
}

static void voice_name(int64_t voice, char separator, char name[MAX_NAME])
{
    const char *variant = variants[voice % VARIANT_COUNT];
    char joint[2] = {variant[0] != '\0' ? separator : '\0', '\0'};
    snprintf(name, MAX_NAME, "%s%s%s", accents[voice / VARIANT_COUNT], joint, variant);
}

static double between(uint32_t word, double low, double high)
{
    return low + (high - low) * ((double)word / 4294967296.0);
}

/* Draws the parameters of a clip. A voice has its own rate and pitch, from which each take deviates
   a little. */
static synth_take draw_take(const synth *s, int64_t clip)
{
    dv_rng voice_rng = {(uint64_t)s->config->seed, DV_RNG_SYNTH, VOICE_STEP};
    dv_rng clip_rng = {(uint64_t)s->config->seed, DV_RNG_SYNTH, CLIP_STEP};
    uint32_t voice[4];
    uint32_t words[8];
    /* The shuffle of the voices uses the indices below VOICE_COUNT. */
    dv_rng_words(&voice_rng, (uint32_t)(VOICE_COUNT + voice_of(s, clip)), voice);
    dv_rng_words(&clip_rng, (uint32_t)(2 * clip), words);
    dv_rng_words(&clip_rng, (uint32_t)(2 * clip + 1), words + 4);
    return (synth_take){
        .rate = (int)(between(voice[0], 130, 200) + between(words[0], -15, 15)),
        .pitch = (int)(between(voice[1], 28, 72) + between(words[1], -10, 10)),
        .peak = pow(10.0, between(words[2], -22.0, -0.5) / 20.0),
        .noise = pow(10.0, between(words[3], -45.0, -15.0) / 20.0),
        .colour = between(words[4], 0.0, 0.9),
        .before = between(words[5], 0.0, 0.2),
        .after = between(words[6], 0.0, 0.2),
    };
}

/* Splits the list. Each word must fit into the names of files and be unique. */
static dv_status read_words(const char *list, synth *s)
{
    for (const char *at = list;;) {
        size_t length = strcspn(at, ",");
        if (length == 0 || length >= MAX_WORD)
            return DV_FAIL(DV_ECONFIG, "words: '%s': each word must have 1 to %d letters", list,
                           MAX_WORD - 1);
        if (s->word_count == MAX_WORDS)
            return DV_FAIL(DV_ECONFIG, "words: there are more than %d", MAX_WORDS);
        char *word = s->words[s->word_count];
        memcpy(word, at, length);
        word[length] = '\0';
        if (strpbrk(word, "_/ ") != NULL || word[0] == '.' || word[0] == '-')
            return DV_FAIL(DV_ECONFIG,
                           "words: '%s' cannot be the first part of a file's name {word}_{voice}_"
                           "{take}.wav",
                           word);
        for (int64_t i = 0; i < s->word_count; i++) {
            if (strcmp(s->words[i], word) == 0)
                return DV_FAIL(DV_ECONFIG, "words: '%s' is there twice", word);
        }
        s->word_count++;
        if (at[length] == '\0')
            return DV_OK;
        at += length + 1;
    }
}

static dv_status prepare(const dv_synth_config *config, synth *s)
{
    s->config = config;
    DV_TRY(read_words(config->words, s));
    if (config->voices > VOICE_COUNT)
        return DV_FAIL(DV_ECONFIG, "voices: %lld are asked for, and there are %d",
                       (long long)config->voices, VOICE_COUNT);
    s->total = config->voices * s->word_count * config->takes;
    for (int64_t i = 0; i < VOICE_COUNT; i++)
        s->voices[i] = i;
    dv_rng rng = {(uint64_t)config->seed, DV_RNG_SYNTH, VOICE_STEP};
    dv_rng_shuffle(&rng, s->voices, VOICE_COUNT);
    struct stat info;
    if (mkdir(config->out, 0777) != 0 && errno != EEXIST)
        return DV_FAIL(DV_EIO, "%s: cannot be made: %s", config->out, strerror(errno));
    if (stat(config->out, &info) != 0 || !S_ISDIR(info.st_mode))
        return DV_FAIL(DV_EIO, "%s: is not a folder", config->out);
    return dv_output_check_sounds(config->out);
}

/* Starts espeak-ng without its output, which says little; it exits with 0 on most errors. */
static dv_status spawn(char *const arguments[], pid_t *pid)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return DV_FAIL(DV_EIO, "cannot start espeak-ng: %s", strerror(error));
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && error == 0; fd++)
        error = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    if (error == 0)
        error = posix_spawnp(pid, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT)
        return DV_FAIL(DV_EIO, "the program espeak-ng is not installed: install the package "
                               "espeak-ng (apt-get install espeak-ng)");
    if (error != 0)
        return DV_FAIL(DV_EIO, "cannot start espeak-ng: %s", strerror(error));
    return DV_OK;
}

static dv_status start_job(const synth *s, synth_job *job, int64_t clip)
{
    char voice[MAX_NAME];
    char rate[16];
    char pitch[16];
    char word[MAX_WORD];
    synth_take take = draw_take(s, clip);
    voice_name(voice_of(s, clip), '+', voice);
    snprintf(rate, sizeof rate, "%d", take.rate);
    snprintf(pitch, sizeof pitch, "%d", take.pitch);
    snprintf(word, sizeof word, "%s", spoken(word_of(s, clip)));
    /* A dot-file, which data sets ignore if it is left behind. */
    snprintf(job->sound, sizeof job->sound, "%s/.espeak-%ld-%lld.wav", s->config->out,
             (long)getpid(), (long long)clip);
    char name[] = "espeak-ng";
    char v[] = "-v", p[] = "-p", r[] = "-s", w[] = "-w", z[] = "-z", end[] = "--";
    char *arguments[] = {name, v, voice, p, pitch, r, rate, w, job->sound, z, end, word, NULL};
    job->clip = clip;
    return spawn(arguments, &job->pid);
}

/* Mixes the speech at its level with noise, which also precedes and follows it. */
static void mix(const synth *s, int64_t clip, const synth_take *take, const dv_audio *speech,
                int64_t before, dv_audio *out)
{
    double energy = 0.0;
    double peak = 1e-9;
    for (int64_t i = 0; i < speech->count; i++) {
        energy += (double)speech->samples[i] * (double)speech->samples[i];
        peak = fmax(peak, fabs((double)speech->samples[i]));
    }
    double level = take->peak / peak;
    double rms = level * sqrt(energy / (double)speech->count);
    /* A pole a divides the variance of white noise by 1 - a^2. */
    double noise_level = take->noise * rms * sqrt(1.0 - take->colour * take->colour);
    dv_rng rng = {(uint64_t)s->config->seed, DV_RNG_SYNTH, (uint64_t)(NOISE_STEP + clip)};
    double noise = 0.0;
    for (int64_t i = 0; i < out->count; i++) {
        noise = take->colour * noise + dv_rng_normal(&rng, (uint32_t)i);
        double sample = noise_level * noise;
        if (i >= before && i < before + speech->count)
            sample += level * (double)speech->samples[i - before];
        out->samples[i] = (float)sample;
    }
}

static dv_status write_clip(const synth *s, const synth_job *job, const dv_audio *speech)
{
    char voice[MAX_NAME];
    char path[MAX_PATH];
    synth_take take = draw_take(s, job->clip);
    double rate = (double)s->config->sample_rate;
    int64_t before = (int64_t)(take.before * rate);
    int64_t after = (int64_t)(take.after * rate);
    dv_audio out = {.count = before + speech->count + after, .sample_rate = s->config->sample_rate};
    DV_TRY(dv_calloc((size_t)out.count, sizeof *out.samples, &out.samples));
    mix(s, job->clip, &take, speech, before, &out);
    voice_name(voice_of(s, job->clip), '-', voice);
    snprintf(path, sizeof path, "%s/%s_%s_%lld.wav", s->config->out, word_of(s, job->clip), voice,
             (long long)(job->clip % s->config->takes));
    dv_status status = dv_output_write_sound(path, &out);
    dv_audio_free(&out);
    return status;
}

/* Waits for the job's process. Returns its exit status, or -1 if a signal ended it. */
static int wait_job(synth_job *job)
{
    int result = 0;
    while (waitpid(job->pid, &result, 0) < 0 && errno == EINTR)
        ;
    job->pid = 0;
    return WIFEXITED(result) ? WEXITSTATUS(result) : -1;
}

/* Waits for espeak-ng and makes the clip from its sound file, which is always removed. */
static dv_status finish_job(const synth *s, synth_job *job)
{
    enum { LONGEST_SECONDS = 30 };
    char voice[MAX_NAME];
    voice_name(voice_of(s, job->clip), '+', voice);
    int result = wait_job(job);
    dv_status status;
    if (result != 0) {
        status = DV_FAIL(DV_EIO, "espeak-ng ended with status %d (voice %s, word '%s')", result,
                         voice, spoken(word_of(s, job->clip)));
    } else {
        dv_audio speech;
        status = dv_audio_read(job->sound, s->config->sample_rate, LONGEST_SECONDS, NULL, &speech);
        if (status == DV_OK)
            status = write_clip(s, job, &speech);
        else
            dv_fail_within(status, "espeak-ng with voice %s, word '%s'", voice,
                           spoken(word_of(s, job->clip)));
        dv_audio_free(&speech);
    }
    unlink(job->sound);
    return status;
}

/* Clip i has slot i % jobs. The previous clip of that slot is finished first, so the clips are
   written in order. */
dv_status dv_synth(const dv_synth_config *config, const dv_synth_observer *observer,
                   int64_t *written)
{
    dv_status status;
    synth *s = NULL;
    *written = 0;
    DV_TRY_GOTO(dv_calloc(1, sizeof *s, &s));
    DV_TRY_GOTO(prepare(config, s));
    for (int64_t i = 0; i < s->total + config->jobs; i++) {
        synth_job *job = &s->jobs[i % config->jobs];
        if (job->pid != 0) {
            DV_TRY_GOTO(finish_job(s, job));
            ++*written;
            if (observer != NULL)
                observer->written(observer->user, *written, s->total);
        }
        if (i < s->total)
            DV_TRY_GOTO(start_job(s, job, i));
    }
fail:
    for (int64_t i = 0; s != NULL && i < config->jobs; i++) {
        if (s->jobs[i].pid == 0)
            continue;
        wait_job(&s->jobs[i]);
        unlink(s->jobs[i].sound);
    }
    free(s);
    return status;
}

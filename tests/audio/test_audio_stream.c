/* Sounds from pipes are read, or refused, as files are. */
#include "frontends/audio/audio.h"
#include "tests/support/scratch.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { RATE = 8000, FRAMES = 24000, PATIENCE = 60 /* s, then a signal ends a test that hangs */ };

static bool make_file(const char *path, int format, int channels)
{
    static float samples[2 * FRAMES];
    SF_INFO info = {.samplerate = RATE, .channels = channels, .format = format};
    SNDFILE *file = sf_format_check(&info) ? sf_open(path, SFM_WRITE, &info) : NULL;
    if (file == NULL) {
        print_message("not tested: libsndfile does not write format 0x%x\n", (unsigned)format);
        return false;
    }
    for (int i = 0; i < FRAMES * channels; i++)
        samples[i] = (i % channels > 0 ? -0.4F : 0.4F) * (float)sin(0.3 * (i / channels));
    assert_int_equal(sf_writef_float(file, samples, FRAMES), FRAMES);
    sf_close(file);
    return true;
}

/* Starts a process that writes the bytes into the pipe, in pieces, and ends. */
static pid_t write_into(const char *pipe_path, const unsigned char *bytes, size_t size)
{
    pid_t process = fork();
    assert_true(process >= 0);
    if (process > 0)
        return process;
    alarm(PATIENCE);
    (void)signal(SIGPIPE, SIG_IGN);
    int to = open(pipe_path, O_WRONLY);
    for (size_t at = 0; to >= 0 && at < size;) {
        size_t left = size - at;
        ssize_t put = write(to, bytes + at, left < 7777 ? left : 7777);
        if (put <= 0)
            break;
        at += (size_t)put;
    }
    _exit(0);
}

/* Reads the file through a named pipe in the scratch folder. */
static dv_status read_piped(const scratch *folder, const char *path, dv_audio *audio)
{
    char pipe_path[SCRATCH_PATH_SIZE];
    size_t size = 0;
    unsigned char *bytes = file_load(path, &size);
    scratch_path(folder, "pipe", pipe_path);
    (void)unlink(pipe_path);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    pid_t process = write_into(pipe_path, bytes, size);
    dv_status status = dv_audio_read_stream(pipe_path, RATE, 10, NULL, audio);
    if (status != DV_OK)
        assert_ptr_equal(strstr(dv_error_message(), pipe_path), dv_error_message());
    assert_int_equal(waitpid(process, NULL, 0), process);
    free(bytes);
    return status;
}

/* Copies the error message without the path. */
static void message_of(char message[256])
{
    const char *colon = strchr(dv_error_message(), ':');
    snprintf(message, 256, "%s", colon != NULL ? colon : dv_error_message());
    char *line = strstr(message, "ffmpeg"); /* names the file again */
    if (line != NULL)
        *line = '\0';
}

static void assert_same(const scratch *folder, const char *path)
{
    dv_audio by_file, by_pipe;
    char of_file[256], of_pipe[256];
    dv_status status = dv_audio_read(path, RATE, 10, NULL, &by_file);
    message_of(of_file);
    assert_int_equal(read_piped(folder, path, &by_pipe), status);
    message_of(of_pipe);
    if (status != DV_OK) {
        assert_string_equal(of_pipe, of_file);
        return;
    }
    assert_int_equal(by_pipe.count, by_file.count);
    assert_int_equal(by_pipe.facts.remarks, by_file.facts.remarks);
    assert_memory_equal(by_pipe.samples, by_file.samples,
                        (size_t)by_file.count * sizeof *by_file.samples);
    dv_audio_free(&by_file);
    dv_audio_free(&by_pipe);
}

/* Tries every format whole, cut off, and not a sound at all. Two channels that cancel are read
   twice. */
static void test_as_files(void **state)
{
    static const int formats[] = {
        SF_FORMAT_WAV | SF_FORMAT_PCM_16,          SF_FORMAT_AIFF | SF_FORMAT_PCM_16,
        SF_FORMAT_CAF | SF_FORMAT_PCM_16,          SF_FORMAT_FLAC | SF_FORMAT_PCM_16,
        SF_FORMAT_OGG | SF_FORMAT_VORBIS,          SF_FORMAT_OGG | SF_FORMAT_OPUS,
        SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III,
    };
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "sound", path);
    for (int i = 0; i < 7; i++) {
        for (int channels = 1; channels <= 2; channels++) {
            if (!make_file(path, formats[i], channels))
                continue;
            assert_same(*state, path);
            size_t size = 0;
            unsigned char *bytes = file_load(path, &size);
            file_store(path, bytes, size / 2);
            assert_same(*state, path);
            free(bytes);
        }
    }
    file_store(path, "no sound", 8);
    assert_same(*state, path);
    file_store(path, "", 0);
    assert_same(*state, path);
    scratch_clear(*state);
}

static void test_files_of_users(void **state)
{
    static const char *const names[] = {
        "fan_pipe.mp3",    "soxs_24_1.wav",       "rf64_cut.wav", "cut_a.aiff",
        "mp3_in.wav",      "opus_noeos.ogg",      "size_0.wav",   "mp3_junk_first.mp3",
        "flac_native.ogg", "size_whole_file.wav", "whole.wav",    "stereo_inv.wav",
    };
    if (access("../shared/cases/sound", R_OK) != 0) {
        print_message("skipped: ../shared/cases/sound is not there\n");
        skip();
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[SCRATCH_PATH_SIZE];
        snprintf(path, sizeof path, "../shared/cases/sound/%s", names[i]);
        assert_same(*state, path);
    }
    scratch_clear(*state);
}

/* "-" is read from a pipe and from a file. A file of that name is read unless a stream is asked
   for. */
static void test_standard_input(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    dv_audio by_file, audio;
    int before = dup(STDIN_FILENO);
    scratch_path(*state, "sound", path);
    assert_true(make_file(path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1));
    assert_int_equal(dv_audio_read(path, RATE, 10, NULL, &by_file), DV_OK);
    int file = open(path, O_RDONLY);
    assert_int_equal(dup2(file, STDIN_FILENO), STDIN_FILENO);
    close(file);
    assert_int_equal(dv_audio_read_stream("-", RATE, 10, NULL, &audio), DV_OK);
    assert_int_equal(audio.count, by_file.count);
    assert_memory_equal(audio.samples, by_file.samples, (size_t)audio.count * sizeof(float));
    dv_audio_free(&audio);
    assert_int_equal(dv_audio_read_stream("-", RATE, 10, NULL, &audio),
                     DV_EFORMAT); /* the input was read to its end */
    assert_string_equal(dv_error_message(), "-: is empty (0 bytes)");
    assert_int_equal(dv_audio_read("-", RATE, 10, NULL, &audio), DV_EIO);
    assert_int_equal(dup2(before, STDIN_FILENO), STDIN_FILENO);
    close(before);
    dv_audio_free(&by_file);
    scratch_clear(*state);
}

/* An endless stream is given up, with little memory. */
static void test_endless(void **state)
{
    enum { PIECE = 1 << 20 };
    char path[SCRATCH_PATH_SIZE];
    dv_audio audio;
    scratch_path(*state, "pipe", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        alarm(PATIENCE);
        (void)signal(SIGPIPE, SIG_IGN);
        char *zeros = calloc(PIECE, 1);
        int to = open(path, O_WRONLY);
        while (zeros != NULL && write(to, zeros, PIECE) > 0)
            ;
        _exit(0);
    }
    assert_int_equal(dv_audio_read_stream(path, RATE, 10, NULL, &audio), DV_EFORMAT);
    assert_non_null(strstr(dv_error_message(), "more than 268435456 bytes"));
    assert_null(audio.samples);
    assert_int_equal(waitpid(process, NULL, 0), process);
    scratch_clear(*state);
}

/* Data sets read their clips more than once, and must not wait for a pipe. */
static void test_no_pipe_among_files(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    dv_audio audio;
    scratch_path(*state, "pipe.wav", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(dv_audio_read(path, RATE, 10, NULL, &audio), DV_EIO);
    assert_non_null(strstr(dv_error_message(), "is a pipe"));
    assert_int_equal(dv_audio_read_stream("/dev/zero", RATE, 10, NULL, &audio), DV_EIO);
    scratch_clear(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_files),
        cmocka_unit_test(test_files_of_users),
        cmocka_unit_test(test_standard_input),
        cmocka_unit_test(test_endless),
        cmocka_unit_test(test_no_pipe_among_files),
    };
    alarm(PATIENCE);
    return cmocka_run_group_tests_name("audio streams", tests, scratch_setup, scratch_teardown);
}

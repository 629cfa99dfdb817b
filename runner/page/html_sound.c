#define _DEFAULT_SOURCE /* realpath */
/* Players of sounds in a page, which refers to their files or holds them, and ways to files. */
#include "runner/page/html.h"
#include "runner/page/svg.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Files ---- */

dv_status dv_html_folder(const char *path, char *folder)
{
    char before[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(before, sizeof before, "%.*s", slash != NULL ? (int)(slash - path) + 1 : 1,
             slash != NULL ? path : ".");
    return realpath(before, folder) != NULL
               ? DV_OK
               : DV_FAIL(DV_EIO, "cannot write '%s': %s", path, strerror(errno));
}

static void put_escaped(FILE *out, const char *path)
{
    for (const unsigned char *c = (const unsigned char *)path; *c != '\0'; c++) {
        bool plain = (*c < 0x80 && isalnum(*c)) || strchr("-._~/", *c) != NULL;
        fprintf(out, plain ? "%c" : "%%%02X", *c);
    }
}

void dv_html_relative(FILE *out, const char *folder, const char *file)
{
    size_t common = 0; /* characters of both, up to a slash */
    for (size_t i = 0; file[i] != '\0'; i++) {
        bool ends = folder[i] == '\0' || folder[i] == '/';
        if (ends && file[i] == '/')
            common = i;
        if (folder[i] == '\0' || folder[i] != file[i])
            break;
    }
    for (const char *c = folder + common; *c != '\0'; c++) {
        if (*c == '/' && c[1] != '\0')
            fputs("../", out);
    }
    put_escaped(out, file + common + 1);
}

void dv_html_sound_file(FILE *out, const char *folder, const char *path)
{
    char file[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (realpath(path, file) == NULL)
        return;
    fputs("<figure><audio controls=\"controls\" preload=\"none\" src=\"", out);
    dv_html_relative(out, folder, file);
    fputs("\"></audio><figcaption class=\"file\">", out);
    dv_svg_short_text(out, slash != NULL ? slash + 1 : path, 40);
    fputs("</figcaption></figure>\n", out);
}

/* ---- Sounds in the page ---- */

enum { WAV_HEAD = 44, SAMPLE = 2 /* bytes */ };

/* Base64 (RFC 4648): three bytes become four characters. */
typedef struct base64 {
    FILE *out;
    unsigned bits; /* bytes that are not written yet */
    int bytes;     /* their number */
} base64;

static void put_group(base64 *to, int characters)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < 4; i++)
        fputc(i < characters ? digits[to->bits >> (18 - 6 * i) & 63] : '=', to->out);
    to->bits = 0;
    to->bytes = 0;
}

static void put_byte(base64 *to, unsigned byte)
{
    to->bits |= (byte & 255) << (16 - 8 * to->bytes);
    if (++to->bytes == 3)
        put_group(to, 4);
}

static void put_little_endian(base64 *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        put_byte(to, (unsigned)(value >> 8 * i));
}

static void put_tag(base64 *to, const char *tag)
{
    for (int i = 0; i < 4; i++)
        put_byte(to, (unsigned char)tag[i]);
}

/* The head of a WAV file with one channel of 16-bit samples. */
static void put_wav_head(base64 *to, int64_t count, int64_t rate)
{
    uint64_t size = SAMPLE * (uint64_t)count;
    put_tag(to, "RIFF");
    put_little_endian(to, WAV_HEAD - 8 + size, 4);
    put_tag(to, "WAVE");
    put_tag(to, "fmt ");
    put_little_endian(to, 16, 4);
    put_little_endian(to, 1, 2); /* PCM */
    put_little_endian(to, 1, 2); /* channels */
    put_little_endian(to, (uint64_t)rate, 4);
    put_little_endian(to, SAMPLE * (uint64_t)rate, 4);
    put_little_endian(to, SAMPLE, 2);
    put_little_endian(to, 8 * SAMPLE, 2);
    put_tag(to, "data");
    put_little_endian(to, size, 4);
}

void dv_html_sound(FILE *out, const float *samples, int64_t count, int64_t rate)
{
    base64 to = {.out = out};
    fputs("<audio controls=\"controls\" preload=\"none\" src=\"data:audio/wav;base64,", out);
    put_wav_head(&to, count, rate);
    for (int64_t i = 0; i < count; i++) {
        long sample = lroundf(32767 * fmaxf(fminf(samples[i], 1), -1));
        put_little_endian(&to, (uint64_t)sample, SAMPLE);
    }
    if (to.bytes > 0)
        put_group(&to, to.bytes + 1);
    fputs("\"></audio>\n", out);
}

size_t dv_html_sound_size(int64_t count)
{
    return (WAV_HEAD + SAMPLE * (size_t)count + 2) / 3 * 4;
}

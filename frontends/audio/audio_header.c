/* Reads the headers of sound files. Foreign formats and truncated files are refused here. A wrong
   size is corrected for the decoder. */
#include "engine/base/shell.h"
#include "engine/base/text.h"
#include "frontends/audio/audio.h"
#include "frontends/audio/audio_file.h"
#include "frontends/audio/file_content.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    BEGIN = DV_CONTENT_BYTES,      /* bytes by which a format is known */
    MAX_CHUNKS = 1000,             /* chunks before the samples; no sane file has more */
    MAX_TAGS = 16,                 /* ID3 tags, one behind the other */
    MAX_EMPTY = 65536,             /* bytes of 0 before the frames of an MP3 file */
    MAX_HEADER = 256,              /* bytes; a size that is too large by this much is a mistake */
    MAX_PAGE = 27 + 255 * 256,     /* bytes of an OGG page: head, 255 segments with their table */
    WAV_MP3 = 0x55,                /* format of the samples in WAV */
    STREAMED = 0x7F000000 - 65536, /* see judge_size */
};

static uint64_t number_at(const unsigned char *bytes, int width, bool big)
{
    uint64_t value = 0;
    for (int i = 0; i < width; i++)
        value = value << 8 | bytes[big ? i : width - 1 - i];
    return value;
}

static bool has(dv__sound_file *file, int64_t at, int64_t count, void *bytes)
{
    return dv__sound_file_read(file, at, count, bytes) == count;
}

/* ---- Formats that are not read ---- */

/* Writes a path that no program takes for an option. */
static void put_file(FILE *out, const char *path)
{
    char word[PATH_MAX + 2];
    snprintf(word, sizeof word, "%s%s", path[0] == '-' ? "./" : "", path);
    dv_shell_word(out, word);
}

/* Writes the command that converts the file into a WAV file beside it. */
static void write_conversion(const void *user, FILE *out)
{
    const char *path = user, *dot = strrchr(path, '.');
    char to[PATH_MAX];
    bool named = dot != NULL && strchr(dot, '/') == NULL && strcasecmp(dot, ".wav") != 0;
    snprintf(to, sizeof to, "%.*s.wav", named ? (int)(dot - path) : (int)strlen(path), path);
    fputs("ffmpeg -i ", out);
    put_file(out, path);
    fputc(' ', out);
    put_file(out, to);
}

/* Fails if the first bytes are those of a format that is not read. The message has the command that
   converts the file. */
static dv_status refuse_foreign(const dv__sound_file *file, const char begin[BEGIN])
{
    const char *name;
    char *line;
    size_t size;
    if (dv_content_of(begin, BEGIN, &name) != DV_CONTENT_FOREIGN_SOUND)
        return DV_OK;
    DV_TRY(dv_text_of(write_conversion, file->path, &line, &size));
    dv_status status =
        DV_FAIL(DV_EFORMAT, "%s: is %s, which is not read; this line converts it: %s", file->path,
                name, line);
    free(line);
    return status;
}

/* ---- Containers whose header says how many bytes of samples there are ---- */

typedef struct container {
    const char *magic; /* the first bytes of the file */
    const char *form;  /* the bytes at form_at */
    int form_at;
    int chunks;       /* byte at which the first chunk begins; 0 for AU, see find_in_au */
    int type;         /* bytes of a chunk's type */
    int width;        /* bytes of a chunk's size, behind the type */
    bool big;         /* big-endian */
    bool whole;       /* the size includes the bytes of type and size */
    int align;        /* alignment of chunks, bytes */
    const char *data; /* beginning of the type of the chunk with the samples */
    int before;       /* bytes in that chunk before the samples */
} container;

static const container containers[] = {
    {"RIFF", "WAVE", 8, 12, 4, 4, false, false, 2, "data", 0},
    {"RIFX", "WAVE", 8, 12, 4, 4, true, false, 2, "data", 0},
    {"RF64", "WAVE", 8, 12, 4, 4, false, false, 2, "data", 0},
    {"FORM", "AIFF", 8, 12, 4, 4, true, false, 2, "SSND", 8},
    {"FORM", "AIFC", 8, 12, 4, 4, true, false, 2, "SSND", 8},
    {"riff", "wave", 24, 40, 16, 8, false, true, 8, "data", 0}, /* W64 */
    {"caff", "", 0, 8, 4, 8, true, false, 1, "data", 4},
    {".snd", "", 0, 0, 4, 4, true, false, 1, "", 0}, /* AU */
    {"dns.", "", 0, 0, 4, 4, false, false, 1, "", 0},
};

/* The place of the samples according to the header. */
typedef struct samples {
    int64_t start;
    uint64_t promised; /* bytes of samples */
    int64_t size_at;   /* byte at which their size is written */
    int width;         /* bytes of that size */
    uint64_t beside;   /* bytes that the size counts beside the samples */
    bool mp3;          /* a WAV file holds MP3 */
} samples;

static const container *container_of(const char begin[BEGIN])
{
    for (size_t i = 0; i < sizeof containers / sizeof containers[0]; i++) {
        const container *kind = &containers[i];
        if (memcmp(begin, kind->magic, 4) == 0 &&
            memcmp(begin + kind->form_at, kind->form, strlen(kind->form)) == 0)
            return kind;
    }
    return NULL;
}

/* AU has the start of the samples, then their number of bytes. */
static bool find_in_au(dv__sound_file *file, const container *kind, samples *found)
{
    unsigned char head[8];
    if (!has(file, 4, sizeof head, head))
        return false;
    *found = (samples){.start = (int64_t)number_at(head, 4, kind->big),
                       .promised = number_at(head + 4, 4, kind->big),
                       .size_at = 8,
                       .width = 4};
    return true;
}

/* Walks through the chunks. In RF64 the size is 2^32 - 1, and the chunk ds64 before has the true
   size. */
static bool find_in_chunks(dv__sound_file *file, const container *kind, samples *found)
{
    unsigned char head[24], ds64[16], tag[2];
    int64_t at = kind->chunks, head_size = kind->type + kind->width, true_size_at = 0;
    bool mp3 = false;
    for (int i = 0; i < MAX_CHUNKS && has(file, at, head_size, head); i++) {
        uint64_t size = number_at(head + kind->type, kind->width, kind->big);
        uint64_t beside = (uint64_t)kind->before + (kind->whole ? (uint64_t)head_size : 0);
        if (memcmp(head, "fmt ", 4) == 0 && has(file, at + head_size, sizeof tag, tag))
            mp3 = number_at(tag, 2, kind->big) == WAV_MP3;
        *found = (samples){.start = at + head_size + kind->before,
                           .promised = size > beside ? size - beside : 0,
                           .size_at = at + kind->type,
                           .width = kind->width,
                           .beside = beside,
                           .mp3 = mp3};
        if (memcmp(head, "ds64", 4) == 0 && has(file, at + 8, sizeof ds64, ds64))
            true_size_at = at + 16;
        if (memcmp(head, kind->data, 4) == 0) {
            if (true_size_at > 0 && size == UINT32_MAX) {
                found->promised = number_at(ds64 + 8, 8, false);
                found->size_at = true_size_at;
                found->width = 8;
            }
            return true;
        }
        if (size > (uint64_t)file->size || (kind->whole && size < (uint64_t)head_size))
            return false;
        int64_t length = (int64_t)size + (kind->whole ? 0 : head_size);
        at += (length + kind->align - 1) / kind->align * kind->align;
    }
    return false;
}

/* Whether a chunk begins at byte `at` in place of samples. */
static bool is_chunk(dv__sound_file *file, const container *kind, int64_t at)
{
    unsigned char head[24];
    if (kind->chunks == 0 || !has(file, at, kind->type + kind->width, head))
        return false;
    for (int i = 0; i < 4; i++) {
        if (head[i] < ' ' || head[i] > '~')
            return false;
    }
    return number_at(head + kind->type, kind->width, kind->big) <= (uint64_t)(file->size - at);
}

/* Shows the decoder the size that the samples really have. */
static void correct_size(const container *kind, const samples *found, int64_t there,
                         dv__sound_header *header)
{
    uint64_t size = (uint64_t)there + found->beside;
    if (found->width == 4 && size > UINT32_MAX)
        size = UINT32_MAX;
    header->patch_at = found->size_at;
    header->patch_size = found->width;
    for (int i = 0; i < found->width; i++)
        header->patch[kind->big ? found->width - 1 - i : i] = (unsigned char)(size >> 8 * i);
}

/*
 * Checks the promised size. Decoders silently shorten a file that ends early, so this is found
 * here. Writers that cannot seek back leave the largest size (2^64 - 1, 2^32 - 1, 2^31 - 1; SoX
 * 0x7FFFF000 or 0x7F000000), rounded down to whole frames; such a file is read to its end. A
 * recorder that was stopped hard leaves 0. Some recorders write the size of the whole file with its
 * header.
 */
static dv_status judge_size(dv__sound_file *file, const container *kind, const samples *found,
                            dv__sound_header *header)
{
    int64_t there = file->size > found->start ? file->size - found->start : 0;
    int64_t most = found->start < MAX_HEADER ? found->start : MAX_HEADER;
    uint64_t promised = found->promised;
    if (there == 0 && (promised == 0 || promised >= STREAMED))
        return DV_OK; /* the decoder finds no samples */
    if (promised > 0 && promised <= (uint64_t)there)
        return DV_OK;
    if (promised == 0) {
        if (is_chunk(file, kind, found->start))
            return DV_OK;
        header->remarks |= 1U << DV_AUDIO_SIZE_0;
    } else if (promised < STREAMED) {
        if (there == 0 || promised - (uint64_t)there > (uint64_t)most)
            return DV_FAIL(DV_EFORMAT,
                           "%s: is truncated: its header promises %llu bytes of samples, "
                           "%lld are there",
                           file->path, (unsigned long long)promised, (long long)there);
        header->remarks |= 1U << DV_AUDIO_BEYOND;
    }
    correct_size(kind, found, there, header);
    return DV_OK;
}

/* ---- OGG ---- */

/* Facts about the last page of an OGG file. */
typedef struct last_page {
    int64_t end;      /* the byte behind the page, by its table of segments; 0 without a page */
    bool is_last;     /* the page is marked as the last */
    int64_t position; /* samples up to its end; 0 or less if there are none */
} last_page;

/* Finds the last page in bytes (count), the part of the file from `at` to its end. */
static last_page find_last_page(const unsigned char *bytes, int64_t count, int64_t at)
{
    last_page found = {0};
    for (int64_t i = count - 27; i >= 0; i--) {
        if (memcmp(bytes + i, "OggS", 5) != 0) /* the version is 0 */
            continue;
        int64_t segments = bytes[i + 26], end = i + 27 + segments;
        for (int64_t k = i + 27; k < i + 27 + segments && k < count; k++)
            end += bytes[k];
        found.end = at + end;
        found.is_last = (bytes[i + 5] & 4) != 0;
        found.position = (int64_t)number_at(bytes + i + 6, 8, false);
        break;
    }
    return found;
}

/*
 * A file that ends within a page is truncated. libsndfile 1.2.0 must not see it, since it leaks
 * memory then. A file with a whole last page that is not marked as the last comes from a recorder
 * that was not closed.
 */
static dv_status check_ogg(dv__sound_file *file, dv__sound_header *header)
{
    int64_t count = file->size < MAX_PAGE ? file->size : MAX_PAGE;
    unsigned char *bytes;
    DV_TRY(dv_calloc((size_t)count, 1, &bytes));
    count = dv__sound_file_read(file, file->size - count, count, bytes);
    last_page last = find_last_page(bytes, count, file->size - count);
    free(bytes);
    if (last.end > 0 && last.end <= file->size && last.is_last)
        return DV_OK;
    if (last.end != file->size || last.position <= 0)
        return DV_FAIL(DV_EFORMAT, "%s: is truncated: its last page is missing", file->path);
    header->remarks |= 1U << DV_AUDIO_UNENDED;
    header->unmeasured = true;
    return DV_OK;
}

/* ---- MP3 ---- */

/* The byte behind the ID3 tag at byte `at`, or `at` if there is none. The tag's size is 4 bytes of
   7 bits. */
static int64_t skip_tag(dv__sound_file *file, int64_t at)
{
    unsigned char tag[10];
    if (!has(file, at, sizeof tag, tag) || memcmp(tag, "ID3", 3) != 0)
        return at;
    return at + 10 +
           ((int64_t)(tag[6] & 127) << 21 | (tag[7] & 127) << 14 | (tag[8] & 127) << 7 |
            (tag[9] & 127));
}

/* The first byte at or behind `at` that is not 0, within MAX_EMPTY bytes. */
static int64_t skip_empty(dv__sound_file *file, int64_t at)
{
    unsigned char bytes[1024];
    for (int64_t end = at + MAX_EMPTY; at < end;) {
        int64_t count = dv__sound_file_read(file, at, sizeof bytes, bytes), empty = 0;
        while (empty < count && bytes[empty] == 0)
            empty++;
        at += empty;
        if (empty < (int64_t)sizeof bytes)
            break;
    }
    return at;
}

/*
 * An MP3 file has its length only in the mark "Xing" or "Info" of its first frame, behind at most
 * 38 bytes of the frame's head, and only if the mark's flags say so. Without it the decoder guesses
 * a length from the size of the file and the first frame's bit rate, and would stop there.
 * libsndfile 1.2.0 does not find frames behind empty bytes, so these are hidden.
 */
static void look_at_mp3(dv__sound_file *file, dv__sound_header *header)
{
    unsigned char frame[52] = "";
    int64_t at = 0;
    bool empty = false;
    for (int i = 0; i < MAX_TAGS; i++) {
        int64_t tagged = skip_tag(file, at), next = skip_empty(file, tagged);
        empty = empty || next > tagged;
        if (next == at)
            break;
        at = next;
    }
    int64_t count = dv__sound_file_read(file, at, sizeof frame, frame);
    if (frame[0] != 0xFF || (frame[1] & 0xE0) != 0xE0)
        return;
    header->first = empty ? at : 0;
    header->endless = true;
    for (int64_t i = 4; i + 12 <= count; i++) {
        bool marked = memcmp(frame + i, "Xing", 4) == 0 || memcmp(frame + i, "Info", 4) == 0;
        if (marked && (frame[i + 7] & 1) != 0 && number_at(frame + i + 8, 4, true) > 0)
            header->endless = false;
    }
    header->unmeasured = header->endless;
}

dv_status dv__sound_header_read(dv__sound_file *file, dv__sound_header *header)
{
    char begin[BEGIN] = "";
    samples found;
    *header = (dv__sound_header){0};
    dv__sound_file_read(file, 0, sizeof begin, begin);
    DV_TRY(refuse_foreign(file, begin));
    const container *kind = container_of(begin);
    if (kind != NULL && (kind->chunks > 0 ? find_in_chunks : find_in_au)(file, kind, &found)) {
        DV_TRY(judge_size(file, kind, &found, header));
        header->endless = header->unmeasured = found.mp3;
    } else if (memcmp(begin, "OggS", 4) == 0) {
        DV_TRY(check_ogg(file, header));
    } else if (kind == NULL) {
        look_at_mp3(file, header);
    }
    return dv__sound_file_check(file);
}

/* Plays one RTMP stream many times over and times every message; used by rtmp.py, which compiles it and counts none of its cost.
 *
 *     rtmp_load PORT APP STREAM COUNT GAP_US [BYTES_PER_S]
 *
 * Opens a connection every GAP_US microseconds, from changing addresses of 127.0.0.0/8 because servers limit connections per
 * address. The publisher overwrites the last eight bytes of every frame with CLOCK_MONOTONIC at its sending, so the delay of
 * each frame is read here without knowing anything about codecs. Every line on stdin ends a window: one line of JSON about it
 * goes to stdout. With BYTES_PER_S the first player reads no faster than that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PER_ADDRESS = 50, CSIDS = 64, READ_BYTES = 256 * 1024, HANDSHAKE = 3073, WINDOW = 2500000, STALL_MS = 1000 };
#define MAX_SAMPLES (8u << 20)

typedef struct {
    uint32_t length, got, type, field;
    uint8_t head[8], tail[8];
} Chunk;

typedef struct {
    int fd, open, joined;
    uint64_t started, join_ns, received, acked, last_media, worst_gap;
    uint32_t handshake, chunk_size, frames;
    uint8_t header[18];
    uint32_t header_got, header_need, left;
    Chunk *current;
    Chunk chunks[CSIDS];
} Player;

static Player *players;
static int count, opened, closed_by_server;
static uint64_t slow; /* bytes per second of the first player; it is left out of the figures */
static uint32_t *samples[2], sampled[2];
static uint64_t window_start, window_bytes;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}

static void be(uint8_t *to, uint32_t value, int bytes) {
    while (bytes--) {
        to[bytes] = value;
        value >>= 8;
    }
}

static uint32_t from_be(const uint8_t *at, int bytes) {
    uint32_t value = 0;
    while (bytes--) value = value << 8 | *at++;
    return value;
}

static void say(Player *p, const uint8_t *data, size_t size) {
    if (send(p->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) {
        fprintf(stderr, "a request did not fit the socket\n");
        exit(1);
    }
}

static size_t amf_string(uint8_t *to, const char *text, int marker) {
    size_t size = strlen(text), at = 0;
    if (marker) to[at++] = 2;
    be(to + at, size, 2);
    memcpy(to + at + 2, text, size);
    return at + 2 + size;
}

static size_t amf_number(uint8_t *to, double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    to[0] = 0;
    be(to + 1, bits >> 32, 4);
    be(to + 5, bits, 4);
    return 9;
}

static void message(Player *p, int csid, int type, int stream, const uint8_t *body, size_t size) {
    uint8_t out[512] = {csid, 0, 0, 0};
    size_t at = 12;
    be(out + 4, size, 3);
    out[7] = type;
    out[8] = stream;
    for (size_t done = 0; done < size;) {
        size_t piece = size - done < 128 ? size - done : 128;
        if (done) out[at++] = 0xC0 | csid;
        memcpy(out + at, body + done, piece);
        at += piece;
        done += piece;
    }
    say(p, out, at);
}

static void ask(Player *p, const char *app, const char *stream) {
    uint8_t body[400];
    size_t at = amf_string(body, "connect", 1);
    char url[128];
    at += amf_number(body + at, 1);
    body[at++] = 3;
    at += amf_string(body + at, "app", 0);
    at += amf_string(body + at, app, 1);
    at += amf_string(body + at, "flashVer", 0);
    at += amf_string(body + at, "LNX 9,0,124,2", 1);
    snprintf(url, sizeof url, "rtmp://127.0.0.1/%s", app);
    at += amf_string(body + at, "tcUrl", 0);
    at += amf_string(body + at, url, 1);
    memcpy(body + at, "\0\0\x09", 3);
    message(p, 3, 20, 0, body, at + 3);
    at = amf_string(body, "createStream", 1);
    at += amf_number(body + at, 2);
    body[at++] = 5;
    message(p, 3, 20, 0, body, at);
    at = amf_string(body, "play", 1);
    at += amf_number(body + at, 0);
    body[at++] = 5;
    at += amf_string(body + at, stream, 1);
    message(p, 8, 20, 1, body, at);
}

static void complete(Player *p, Chunk *c, uint64_t now) {
    if (c->type == 1) p->chunk_size = from_be(c->head, 4);
    if (c->type == 4 && from_be(c->head, 2) == 6) {
        uint8_t pong[6] = {0, 7};
        memcpy(pong + 2, c->head + 2, 4);
        message(p, 2, 4, 0, pong, 6);
    }
    int video = c->type == 9;
    if ((!video && c->type != 8) || c->length < 16 || c->head[1] != 1) return;
    if (video && !p->joined && c->head[0] >> 4 == 1) {
        p->joined = 1;
        p->join_ns = now - p->started;
    }
    if (p->last_media > window_start && now - p->last_media > p->worst_gap) p->worst_gap = now - p->last_media;
    p->last_media = now;
    p->frames++;
    uint64_t sent = (uint64_t)from_be(c->tail, 4) << 32 | from_be(c->tail + 4, 4);
    if (sent >= window_start && !(slow && p == players) && sent > p->started && sent <= now && sampled[video] < MAX_SAMPLES)
        samples[video][sampled[video]++] = (now - sent) / 1000;
}

static const uint8_t HEADER_BYTES[] = {11, 7, 3, 0};

/* Returns 0 when the header is complete. Csids above 63 are used by neither server. */
static int header(Player *p) {
    uint8_t *h = p->header;
    int form = h[0] >> 6, csid = h[0] & 63;
    Chunk *c = &p->chunks[csid];
    if (csid < 2) exit(2);
    uint32_t need = 1 + HEADER_BYTES[form];
    if (p->header_got >= need) {
        uint32_t field = form < 3 ? from_be(h + 1, 3) : c->field;
        if (field == 0xFFFFFF) need += 4;
        if (p->header_got >= need) {
            c->field = field;
            if (form < 2) {
                c->length = from_be(h + 4, 3);
                c->type = h[7];
            }
            p->current = c;
            p->left = c->length - c->got < p->chunk_size ? c->length - c->got : p->chunk_size;
            return 0;
        }
    }
    p->header_need = need;
    return 1;
}

static void take(Player *p, const uint8_t *data, size_t size, uint64_t now, const char *app, const char *stream) {
    p->received += size;
    window_bytes += size;
    if (p->handshake < HANDSHAKE) {
        size_t used = HANDSHAKE - p->handshake < size ? HANDSHAKE - p->handshake : size;
        p->handshake += used;
        data += used;
        size -= used;
        if (p->handshake == HANDSHAKE) {
            static const uint8_t c2[1536];
            say(p, c2, sizeof c2);
            ask(p, app, stream);
        }
    }
    while (size) {
        if (!p->current) {
            while (size && p->header_got < p->header_need) p->header[p->header_got++] = *data++, size--;
            if (p->header_got < p->header_need || header(p)) continue;
            p->header_got = 0;
            p->header_need = 1;
        }
        Chunk *c = p->current;
        size_t run = p->left < size ? p->left : size;
        for (size_t n = 0; c->got + n < 8 && n < run; n++) c->head[c->got + n] = data[n];
        if (run >= 8) memcpy(c->tail, data + run - 8, 8);
        else if (run) {
            memmove(c->tail, c->tail + run, 8 - run);
            memcpy(c->tail + 8 - run, data, run);
        }
        c->got += run;
        p->left -= run;
        data += run;
        size -= run;
        if (p->left) return;
        p->current = NULL;
        if (c->got == c->length) {
            complete(p, c, now);
            c->got = 0;
        }
    }
    if (p->received - p->acked > WINDOW) {
        uint8_t total[4];
        p->acked = p->received;
        be(total, p->received, 4);
        message(p, 2, 3, 0, total, 4);
    }
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static double ms(uint32_t *sorted, uint32_t size, double share) {
    return size ? sorted[(uint32_t)((size - 1) * share)] / 1000.0 : -1;
}

static void report(uint64_t now) {
    static uint32_t all[MAX_SAMPLES], joins[1 << 16];
    uint32_t total = 0, joined = 0, most = 0, least = UINT32_MAX, stalled = 0, playing = 0;
    uint64_t worst = 0;
    for (int kind = 0; kind < 2; kind++) {
        qsort(samples[kind], sampled[kind], 4, by_value);
        for (uint32_t n = 0; n < sampled[kind] && total < MAX_SAMPLES; n++) all[total++] = samples[kind][n];
    }
    qsort(all, total, 4, by_value);
    for (int n = 0; n < opened; n++) {
        Player *p = &players[n];
        if (p->joined) joins[joined++] = p->join_ns / 1000;
        if (now - p->last_media > p->worst_gap) p->worst_gap = now - p->last_media;
        if (p->worst_gap > worst && !(slow && !n)) worst = p->worst_gap;
        if ((!p->open || p->worst_gap > STALL_MS * 1000000ull) && !(slow && !n)) stalled++;
        if (p->frames > most) most = p->frames;
        if (p->frames < least && !(slow && !n)) least = p->frames;
        playing += p->open && p->frames;
        p->frames = 0;
        p->worst_gap = 0;
    }
    qsort(joins, joined, 4, by_value);
    printf("{\"seconds\":%.3f,\"opened\":%d,\"playing\":%u,\"joined\":%u,\"closed\":%d,\"stalled\":%u,\"mbit_s\":%.2f,"
           "\"frames_least\":%u,\"frames_most\":%u,\"worst_gap_ms\":%.1f,"
           "\"delay_ms\":{\"median\":%.2f,\"p95\":%.2f,\"p99\":%.2f,\"max\":%.2f},"
           "\"video_ms\":{\"median\":%.2f,\"p99\":%.2f},\"audio_ms\":{\"median\":%.2f,\"p99\":%.2f},"
           "\"join_ms\":{\"median\":%.2f,\"p95\":%.2f,\"max\":%.2f}}\n",
           (now - window_start) / 1e9, opened, playing, joined, closed_by_server, stalled,
           window_bytes * 8e3 / (now - window_start), opened ? least : 0, most, worst / 1e6, ms(all, total, .5),
           ms(all, total, .95), ms(all, total, .99), ms(all, total, 1), ms(samples[1], sampled[1], .5),
           ms(samples[1], sampled[1], .99), ms(samples[0], sampled[0], .5), ms(samples[0], sampled[0], .99),
           ms(joins, joined, .5), ms(joins, joined, .95), ms(joins, joined, 1));
    fflush(stdout);
    sampled[0] = sampled[1] = 0;
    window_bytes = 0;
    window_start = now_ns();
}

static void open_next(int poll, int port, int small_buffer) {
    Player *p = &players[opened];
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1, small = 4096;
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(p->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (small_buffer) setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    from.sin_addr.s_addr = htonl(0x7F000002u + opened / PER_ADDRESS);
    to.sin_addr.s_addr = htonl(0x7F000001u);
    p->started = now_ns();
    p->open = 1;
    p->chunk_size = 128;
    p->header_need = 1;
    if (bind(p->fd, (struct sockaddr *)&from, sizeof from) || (connect(p->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)) {
        perror("connect");
        exit(1);
    }
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = opened++};
    epoll_ctl(poll, EPOLL_CTL_ADD, p->fd, &event);
}

int main(int argc, char **argv) {
    if (argc < 6) return 2;
    int port = atoi(argv[1]), gap_us = atoi(argv[5]);
    const char *app = argv[2], *stream = argv[3];
    slow = argc > 6 ? strtoull(argv[6], NULL, 10) : 0;
    count = atoi(argv[4]);
    struct rlimit files = {count + 64, count + 64};
    setrlimit(RLIMIT_NOFILE, &files);
    players = calloc(count, sizeof *players);
    for (int kind = 0; kind < 2; kind++) samples[kind] = malloc(MAX_SAMPLES * 4);
    static uint8_t buffer[READ_BYTES], hello[1537] = {3};
    int poll = epoll_create1(0);
    struct epoll_event input = {.events = EPOLLIN, .data.u32 = UINT32_MAX}, events[256];
    epoll_ctl(poll, EPOLL_CTL_ADD, 0, &input);
    uint64_t next = now_ns(), slow_credit = 0, slow_since = next;
    window_start = next;
    for (;;) {
        uint64_t now = now_ns();
        int wait = -1;
        if (opened < count) {
            if (now >= next) {
                open_next(poll, port, slow && !opened);
                next = now + gap_us * 1000ull;
            }
            wait = opened < count ? 1 : -1;
        }
        if (slow) {
            slow_credit += (now - slow_since) * slow / 1000000000u;
            if ((now - slow_since) * slow / 1000000000u) slow_since = now;
            if (slow_credit > slow) slow_credit = slow;
            wait = 20;
            while (opened && players[0].handshake == HANDSHAKE && slow_credit > 2000 && players[0].open) {
                ssize_t got = recv(players[0].fd, buffer, 2000, 0);
                if (got <= 0) {
                    if (got == 0 || (errno != EAGAIN && errno != EINTR)) players[0].open = 0, closed_by_server++;
                    break;
                }
                slow_credit -= got;
                take(&players[0], buffer, got, now_ns(), app, stream);
            }
        }
        int found = epoll_wait(poll, events, 256, wait);
        for (int n = 0; n < found; n++) {
            if (events[n].data.u32 == UINT32_MAX) {
                char line[64];
                ssize_t got = read(0, line, sizeof line);
                if (got <= 0) return 0;
                report(now_ns());
                continue;
            }
            Player *p = &players[events[n].data.u32];
            if (events[n].events & EPOLLOUT) {
                struct epoll_event event = {.events = EPOLLIN, .data.u32 = events[n].data.u32};
                epoll_ctl(poll, EPOLL_CTL_MOD, p->fd, &event);
                say(p, hello, sizeof hello);
                continue;
            }
            ssize_t got = recv(p->fd, buffer, slow && p == players ? 2000 : sizeof buffer, 0);
            if (got <= 0) {
                if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
                epoll_ctl(poll, EPOLL_CTL_DEL, p->fd, NULL);
                close(p->fd);
                p->open = 0;
                closed_by_server++;
                continue;
            }
            take(p, buffer, got, now_ns(), app, stream);
            if (slow && p == players && p->handshake == HANDSHAKE) epoll_ctl(poll, EPOLL_CTL_DEL, p->fd, NULL);
        }
    }
}

/* The practical limit of SimpleRNN(10) -> Dense(10, tanh) -> Dense(1); see limit.h. */
#include "limit.h"

typedef struct {
    row kernel, bias, recurrent[UNITS], head[UNITS], head_bias, out, out_bias;
} net;
enum { ROWS = sizeof(net) / sizeof(row) };

static net weights, slots;
static row h[STEPS + 1][LANES];

static float update(const float *x) {
    net *w = &weights;
    row z[LANES];
    for (int t = 0; t < STEPS; t++) {
        for (int j = 0; j < LANES; j++) {
            row even = w->bias + x[j + t] * w->kernel, odd = all(0);
            for (int m = 0; m < UNITS; m += 2) {
                even += h[t][j][m] * w->recurrent[m];
                odd += h[t][j][m + 1] * w->recurrent[m + 1];
            }
            z[j] = even + odd;
        }
        for (int j = 0; j < LANES; j++) h[t + 1][j] = squash(z[j]);
    }
    net g;
    memset(&g, 0, sizeof g);
    row recurrent_t[UNITS], head_t[UNITS], d_h[LANES];
    for (int i = 0; i < UNITS; i++) {
        recurrent_t[i] = head_t[i] = all(0);
        for (int m = 0; m < UNITS; m++) recurrent_t[i][m] = w->recurrent[m][i], head_t[i][m] = w->head[m][i];
    }
    float loss = 0;
    for (int j = 0; j < LANES; j++) {
        row a = w->head_bias;
        for (int m = 0; m < UNITS; m++) a += h[STEPS][j][m] * w->head[m];
        a = squash(a);
        float error = w->out_bias[0] + total(a * w->out) - x[j + STEPS], slope = error * (2.f / LANES);
        loss += error * error / LANES;
        g.out_bias[0] += slope;
        g.out += slope * a;
        row d = slope * w->out * (1 - a * a), back = all(0);
        g.head_bias += d;
        for (int i = 0; i < UNITS; i++) back += d[i] * head_t[i];
        for (int m = 0; m < UNITS; m++) g.head[m] += h[STEPS][j][m] * d;
        d_h[j] = back;
    }
    for (int t = STEPS - 1; t >= 0; t--)
        for (int j = 0; j < LANES; j++) {
            row now = h[t + 1][j], d = d_h[j] * (1 - now * now), even = all(0), odd = all(0);
            g.bias += d;
            g.kernel += x[j + t] * d;
            for (int m = 0; m < UNITS; m++) g.recurrent[m] += h[t][j][m] * d;
            for (int i = 0; i < UNITS; i += 2) even += d[i] * recurrent_t[i], odd += d[i + 1] * recurrent_t[i + 1];
            d_h[j] = even + odd;
        }
    move((row *)w, (row *)&slots, (row *)&g, ROWS);
    memcpy(h[0], h[STEPS], sizeof h[0]);
    return loss;
}

static void fill(const float *at) {
    memcpy(&weights.kernel, at, UNITS * 4), at += UNITS;
    for (int m = 0; m < UNITS; m++) memcpy(&weights.recurrent[m], at, UNITS * 4), at += UNITS;
    memcpy(&weights.bias, at, UNITS * 4), at += UNITS;
    for (int m = 0; m < UNITS; m++) memcpy(&weights.head[m], at, UNITS * 4), at += UNITS;
    memcpy(&weights.head_bias, at, UNITS * 4), at += UNITS;
    memcpy(&weights.out, at, UNITS * 4), at += UNITS;
    weights.out_bias[0] = *at;
}

static void begin(void) { memset(h, 0, sizeof h); }

int main(int count, char **arguments) { return run(count, arguments, fill, begin, update); }

/* The practical limit of LSTM(10) -> Dense(1), gates i, f, c, o as in Keras; see limit.h. */
#include "limit.h"

enum { I, F, C, O, GATES };
#include "limit_gates.h"

typedef struct {
    row kernel[GATES], recurrent[GATES][UNITS], bias[GATES], out, out_bias;
} net;
enum { ROWS = sizeof(net) / sizeof(row) };

static net weights, slots;
static row h[STEPS + 1][LANES], cell[STEPS + 1][LANES];

static float update(const float *x) {
    net *w = &weights;
    static gates kept[STEPS][LANES], slopes[STEPS][LANES];
    static row shown[STEPS][LANES];
    for (int t = 0; t < STEPS; t++) {
        gates sums[LANES];
        ALL_LANES ALL_GATES sums[j][g] = w->bias[g] + x[j + t] * w->kernel[g];
        times_recurrent(sums, h[t], w->recurrent);
        ALL_LANES {
            row i = sigmoid(sums[j][I]), f = sigmoid(sums[j][F]), c = squash(sums[j][C]), o = sigmoid(sums[j][O]);
            row now = f * cell[t][j] + i * c, squashed = squash(now);
            kept[t][j][I] = i, kept[t][j][F] = f, kept[t][j][C] = c, kept[t][j][O] = o;
            shown[t][j] = squashed, cell[t + 1][j] = now, h[t + 1][j] = o * squashed;
        }
    }
    net g;
    row turned[GATES][UNITS], d_h[LANES], d_cell[LANES], unused[GATES];
    for (int gate = 0; gate < GATES; gate++) transpose(w->recurrent[gate], turned[gate]);
    float loss = head(x, h[STEPS], w->out, w->out_bias[0], &g.out, &g.out_bias, d_h);
    ALL_LANES d_cell[j] = all(0);
    for (int t = STEPS - 1; t >= 0; t--) {
        ALL_LANES {
            row i = kept[t][j][I], f = kept[t][j][F], c = kept[t][j][C], o = kept[t][j][O], s = shown[t][j];
            row d_c = d_cell[j] + d_h[j] * o * (1 - s * s);
            slopes[t][j][I] = d_c * c * i * (1 - i), slopes[t][j][F] = d_c * cell[t][j] * f * (1 - f);
            slopes[t][j][C] = d_c * i * (1 - c * c), slopes[t][j][O] = d_h[j] * s * o * (1 - o);
            d_cell[j] = d_c * f, d_h[j] = all(0);
        }
        if (t > 0) times_turned(d_h, slopes[t], turned);
    }
    gradients(x, h[0], slopes[0], slopes[0], g.recurrent, unused, g.kernel, g.bias);
    move((row *)w, (row *)&slots, (row *)&g, ROWS);
    memcpy(h[0], h[STEPS], sizeof h[0]);
    memcpy(cell[0], cell[STEPS], sizeof cell[0]);
    return loss;
}

static void fill(const float *at) {
    at = rows_of(at, weights.kernel, 1, 1);
    at = rows_of(at, weights.recurrent[0], UNITS, UNITS);
    at = rows_of(at, weights.bias, 1, 1);
    memcpy(&weights.out, at, UNITS * 4), at += UNITS;
    weights.out_bias[0] = *at;
}

static void begin(void) { memset(h, 0, sizeof h), memset(cell, 0, sizeof cell); }

int main(int count, char **arguments) { return run(count, arguments, fill, begin, update); }

// A text area for one condition of the strategy language. The words of the language are completed here, so that
// the list follows every key; what they mean and whether they fit is said by the server.
const NAME = /[A-Za-z_][\w.]*$/;
const SETTLED_MILLISECONDS = 200;

export default {
  template: `
    <div class="tx-condition" :id="id">
      <label :for="id + '-text'">{{ label }}</label>
      <textarea ref="box" :id="id + '-text'" v-model="text" rows="1" :maxlength="most" spellcheck="false"
        autocapitalize="off" autocomplete="off" :aria-invalid="error ? 'true' : 'false'"
        :aria-describedby="id + '-told'" aria-autocomplete="list" :aria-controls="id + '-list'"
        :aria-activedescendant="found.length ? id + '-' + at : null"
        @input="typed" @keydown="pressed" @keyup="look" @click="look" @blur="close"></textarea>
      <div :id="id + '-told'" aria-live="polite">
        <p v-if="error" class="tx-field-error">{{ error }}
          <button v-if="offer" type="button" class="tx-sort tx-open" @click="$emit('named')">{{ offer }}</button>
        </p>
        <p v-if="meaning" class="tx-small">{{ meaning }}<br v-if="canonical"><code v-if="canonical">{{ canonical }}</code></p>
      </div>
      <p v-if="around && !found.length" class="tx-small"><code>{{ around.usage }}</code> {{ around.told }}</p>
      <div class="tx-completion" v-show="found.length">
        <ul :id="id + '-list'" role="listbox" :aria-label="listed">
          <li v-for="(one, place) in found" :key="one.name" :id="id + '-' + place" role="option"
            :aria-selected="place === at" @mousedown.prevent="take(place)">
            <code>{{ one.usage }}</code> <span>{{ one.label }}</span>
          </li>
        </ul>
        <p v-if="found.length && found[at].told">{{ found[at].told }}</p>
      </div>
    </div>`,
  props: {
    id: String, value: String, label: String, known: Array, most: Number, listed: String,
    error: String, offer: String, meaning: String, canonical: String,
  },
  emits: ["update:value", "named"],
  data() {
    return { text: this.value || "", found: [], at: 0, around: null, told: null };
  },
  watch: {
    value(now) {
      if (now !== this.told) this.text = now || "";
      this.$nextTick(this.grow);
    },
  },
  mounted() {
    this.grow();
  },
  beforeUnmount() {
    clearTimeout(this.waiting);
  },
  methods: {
    grow() {
      const box = this.$refs.box;
      if (!box) return;
      box.style.height = "auto";
      box.style.height = `${box.scrollHeight + 2}px`;
    },
    send() {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => {
        this.told = this.text;
        this.$emit("update:value", this.text);
      }, SETTLED_MILLISECONDS);
    },
    typed() {
      this.grow();
      this.send();
      this.offer_words(false);
    },
    before() {
      return this.text.slice(0, this.$refs.box.selectionStart);
    },
    offer_words(all) {
      const begun = (NAME.exec(this.before()) || [""])[0].toLowerCase();
      const starts = this.known.filter((one) => one.name.startsWith(begun));
      const inside = begun.length < 3 ? [] : this.known.filter((one) => !one.name.startsWith(begun)
        && (one.name.includes(begun) || one.label.toLowerCase().includes(begun)));
      const exact = starts.length === 1 && starts[0].name === begun && !inside.length;
      this.found = (begun && !exact) || all ? [...starts, ...inside].slice(0, all ? this.known.length : 8) : [];
      this.at = 0;
    },
    look() {
      const before = this.before();
      let depth = 0;
      this.around = null;
      for (let place = before.length - 1; place >= 0; place--) {
        if (before[place] === ")") depth++;
        if (before[place] !== "(") continue;
        if (depth-- > 0) continue;
        const name = (NAME.exec(before.slice(0, place)) || [""])[0].toLowerCase();
        this.around = this.known.find((one) => one.name === name && one.told) || null;
        break;
      }
    },
    close() {
      this.found = [];
      this.around = null;
    },
    pressed(event) {
      if (event.key === " " && event.ctrlKey) {
        event.preventDefault();
        this.offer_words(true);
      } else if (!this.found.length) {
        return;
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        const step = event.key === "ArrowDown" ? 1 : -1;
        this.at = (this.at + step + this.found.length) % this.found.length;
        this.$nextTick(() => document.getElementById(`${this.id}-${this.at}`).scrollIntoView({ block: "nearest" }));
      } else if (event.key === "Enter") {
        event.preventDefault();
        this.take(this.at);
      } else if (event.key === "Escape") {
        event.preventDefault();
        this.close();
      }
    },
    take(place) {
      const one = this.found[place];
      const before = this.before();
      const start = before.length - (NAME.exec(before) || [""])[0].length;
      const rest = this.text.slice(before.length);
      this.text = this.text.slice(0, start) + one.insert + rest;
      this.found = [];
      this.send();
      this.$nextTick(() => {
        this.$refs.box.focus();
        this.$refs.box.setSelectionRange(start + one.chosen[0], start + one.chosen[1]);
        this.grow();
        this.look();
      });
    },
  },
};

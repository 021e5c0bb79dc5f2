// The panel beside the page: shows the latest answer. Everything is put in as text or as an image.
const byId = (id) => document.getElementById(id);

function item(text) {
  const line = document.createElement("li");
  line.textContent = text;
  return line;
}

function percent(probability) {
  return probability === null ? "" : `: ${(100 * probability).toFixed(0)} %`;
}

function show(state) {
  if (!state) return;
  const said = { asking: "Looking at the round …", answer: state.sentence }[state.kind] ?? state.text;
  byId("said").textContent = said;
  byId("said").className = state.kind;
  const isAnswer = state.kind === "answer";
  byId("map").hidden = !isAnswer;
  if (isAnswer) byId("map").src = `data:image/svg+xml,${encodeURIComponent(state.map)}`;
  else byId("map").removeAttribute("src");
  const countries = isAnswer ? state.countries : [];
  byId("countries").replaceChildren(...countries.map((guess) => item(guess.name + percent(guess.probability))));
  byId("cautions").replaceChildren(...(isAnswer ? state.cautions : []).map(item));
}

byId("options").onclick = () => chrome.runtime.openOptionsPage();
chrome.storage.session.onChanged.addListener((changes) => show(changes.state?.newValue));
chrome.storage.session.get("state").then(({ state }) => show(state));

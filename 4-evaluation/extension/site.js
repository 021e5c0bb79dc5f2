// What the extension knows of the game's pages. The same is in shared/collection/geoguessr_site.py,
// and a test holds the two together: correct both. The object is JSON.
export const SITE = {
  "base": "https://www.geoguessr.com",
  "game": "^/game/[A-Za-z0-9]{8,40}$",
  "canvas": ".mapsConsumerUiSceneCoreScene__canvas",
  "hidden": "body * { visibility: hidden !important } .mapsConsumerUiSceneCoreScene__canvas { visibility: visible !important }",
  "loading": "Loading location",
  "roundShown": "Round\\s+(\\d+)\\s*/\\s*\\d+",
  "ofPeople": ["Game starting in", "Next round starts in", "Spectate", "right answer was"]
};

// Whether an address is that of a single-player game: this is allowed, and nothing else.
export function isSinglePlayer(address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return false;
  }
  return url.origin === SITE.base && new RegExp(SITE.game).test(url.pathname);
}

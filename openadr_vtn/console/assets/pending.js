// Who waits for approval, said above the page.
import { node } from "/shared/page.js";

export function pendingNote(parties) {
  const waiting = parties.filter((party) => party.state === "pending");
  const note = document.getElementById("pending");
  note.hidden = !waiting.length;
  note.replaceChildren(`${waiting.length === 1 ? "A party waits" : `${waiting.length} parties wait`} for your approval: `, node("code", {}, `openadr-vtn party approve ${waiting[0]?.name ?? ""}`));
}

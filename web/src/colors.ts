// Colours by number: coverage, module, difference. The same in light and dark, with text that can be read on them.

/** From red (nothing ran) over amber to green (all ran). */
export function coverageColor(part: number | null): string {
  if (part === null) return "hsl(220 8% 72%)";
  if (part >= 1) return "hsl(140 38% 62%)";
  return `hsl(${Math.round(4 + part * 92)} ${Math.round(76 - part * 30)}% ${Math.round(66 - part * 2)}%)`;
}

/** A warm colour for each module, from its name, so that it is the same in every graph. */
export function moduleColor(name: string, isProject: boolean): string {
  let hash = 2166136261;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  const spread = (hash >>> 0) % 1000;
  return isProject
    ? `hsl(${14 + (spread % 40)} ${72 + (spread % 12)}% ${64 + (spread % 9)}%)`
    : `hsl(${205 + (spread % 50)} ${22 + (spread % 16)}% ${70 + (spread % 9)}%)`;
}

/** Red for what took more than before, blue for less, pale where nothing changed. `change` is a share, -1 to 1. */
export function differenceColor(change: number): string {
  const strength = Math.min(1, Math.abs(change) * 12);
  if (strength < 0.02) return "hsl(220 10% 84%)";
  return change > 0
    ? `hsl(6 80% ${Math.round(84 - strength * 24)}%)`
    : `hsl(212 70% ${Math.round(84 - strength * 22)}%)`;
}

/** @file Names that BERT's parameters have in different checkpoints. */

/**
 * Names to look for after the parameter's own: with or without the prefix `bert.`, and with `gamma` and `beta`
 * for LayerNorm in checkpoints converted from TensorFlow.
 */
export function bertAliases(name: string): readonly string[] {
  const moved = name.startsWith('bert.') ? name.slice('bert.'.length) : `bert.${name}`;
  return [moved, ...[name, moved].flatMap(legacyNames)];
}

function legacyNames(name: string): string[] {
  if (name === 'cls.predictions.bias') return ['cls.predictions.decoder.bias'];
  if (name.endsWith('LayerNorm.weight')) return [name.replace(/weight$/, 'gamma')];
  if (name.endsWith('LayerNorm.bias')) return [name.replace(/bias$/, 'beta')];
  return [];
}

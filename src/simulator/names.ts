/** The words that generated clients are made of. */

/** As written, and as it appears in an email address. */
export const FIRST_NAMES: readonly (readonly [string, string])[] = [
  ...plain(
    'Ada Alice Amara Andre Anna Ben Bianca Carlos Carmen Chloe Daniel Deepa Diego Elena Emma Ethan Fatima Felix Grace Hana ' +
      'Hugo Ines Isaac Ivy Jack James Jasmin Jin Jonas Julia Kai Karim Kate Leila Leo Liam Lucia Maya Mei Mila Nadia Noah ' +
      'Nora Olga Omar Oscar Petra Priya Quinn Rafael Rosa Ruth Samir Sara Sofia Tariq Theo Uma Victor Wei Yara Yusuf',
  ),
  ['José', 'jose'],
  ['Zoë', 'zoe'],
];

export const LAST_NAMES: readonly (readonly [string, string])[] = [
  ...plain(
    'Adams Ahmed Baker Bauer Bianchi Brown Carter Castro Chen Clark Cohen Cruz Davis Diaz Dubois Evans Fischer Flores ' +
      'Garcia Gray Green Gupta Hall Harris Hassan Hill Ivanov Jackson Jensen Jones Kaya Khan Kim King Kowalski Lee Lewis ' +
      'Lopez Martin Meyer Miller Moore Nguyen Novak Okafor Olsen Park Patel Perez Reed Rossi Sato Schmidt Silva Singh ' +
      'Smith Suzuki Tanaka Taylor Torres Walker Weber White Wilson Wong Young',
  ),
  ["O'Brien", 'obrien'],
  ['Müller', 'mueller'],
];

export const MAIL_DOMAINS: readonly string[] = [
  'example.com',
  'example.org',
  'example.net',
  'mail.example.com',
  'post.example.org',
];

export const SOURCES: readonly string[] = ['Website', 'Referral', 'Zillow', 'Open house', 'Import', 'Phone'];

export const STREETS: readonly string[] = [
  'Main Street',
  'Oak Avenue',
  'Maple Drive',
  'Cedar Lane',
  'Park Road',
  'Lake View',
  'Hill Street',
  'Elm Court',
  'Sunset Boulevard',
  'River Road',
];

/** City, state, first three digits of its zip codes. */
export const CITIES: readonly (readonly [string, string, string])[] = [
  ['Austin', 'TX', '787'],
  ['Boston', 'MA', '021'],
  ['Chicago', 'IL', '606'],
  ['Denver', 'CO', '802'],
  ['Fresno', 'CA', '937'],
  ['Irvine', 'CA', '926'],
  ['Miami', 'FL', '331'],
  ['Phoenix', 'AZ', '850'],
  ['Portland', 'OR', '972'],
  ['San Diego', 'CA', '921'],
  ['Seattle', 'WA', '981'],
  ['Tampa', 'FL', '336'],
];

function plain(words: string): [string, string][] {
  return words.split(' ').map((word) => [word, word.toLowerCase()]);
}

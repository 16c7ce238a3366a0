//! What Lindenmoor sells.

use crate::dice::Dice;

/// German name, English name, price in cents.
const GOODS: [(&str, &str, u32); 44] = [
    ("Gartenschere", "Secateurs", 2490),
    ("Gießkanne 10 l, verzinkt", "Watering can 10 l, galvanised", 3490),
    ("Blumenerde 40 l", "Potting soil 40 l", 990),
    ("Hochbeet Lärche 120 cm", "Raised bed, larch, 120 cm", 18900),
    ("Kompostbehälter 300 l", "Compost bin 300 l", 6990),
    ("Gartenschlauch 25 m", "Garden hose 25 m", 3990),
    ("Schlauchwagen", "Hose trolley", 7990),
    ("Rosenbogen, Stahl", "Rose arch, steel", 8900),
    ("Vogelfutterhaus", "Bird feeder", 3290),
    ("Insektenhotel", "Insect hotel", 2790),
    ("Sonnenschirm 3 m", "Parasol 3 m", 14900),
    ("Gartenbank Akazie", "Garden bench, acacia", 21900),
    ("Klapptisch Balkon", "Folding balcony table", 7490),
    ("Liegestuhl Leinen", "Deck chair, linen", 8990),
    ("Hängematte", "Hammock", 6490),
    ("Lounge-Sofa Rattan", "Rattan garden sofa", 64900),
    ("Essgruppe Teak, 6 Plätze", "Teak dining set, 6 seats", 89000),
    ("Feuerschale 60 cm", "Fire bowl 60 cm", 9900),
    ("Kugelgrill 47 cm", "Kettle grill 47 cm", 12900),
    ("Rasenmäher, Akku", "Lawn mower, battery", 34900),
    ("Heckenschere, Akku", "Hedge trimmer, battery", 15900),
    ("Regentonne 200 l", "Rain barrel 200 l", 8490),
    ("Gewächshaus 4 m²", "Greenhouse 4 m²", 47900),
    ("Frühbeet", "Cold frame", 5990),
    ("Kräuterset, 6 Töpfe", "Herb set, 6 pots", 1990),
    ("Lavendel, 12 Pflanzen", "Lavender, 12 plants", 2990),
    ("Apfelbaum, Halbstamm", "Apple tree, half-standard", 4490),
    ("Blumenzwiebeln, 100 Stück", "Flower bulbs, 100 pieces", 2290),
    ("Terrakottatopf 40 cm", "Terracotta pot 40 cm", 2690),
    ("Solarleuchten, 4 Stück", "Solar lights, set of 4", 3990),
    ("Lichterkette 20 m", "String lights 20 m", 2490),
    ("Leinenbettwäsche 135 × 200", "Linen bedding 135 × 200", 11900),
    ("Wolldecke", "Wool blanket", 7990),
    ("Kissenbezüge, 2 Stück", "Cushion covers, set of 2", 2990),
    ("Handtücher, 4 Stück", "Towels, set of 4", 4490),
    ("Teekanne Steingut", "Stoneware teapot", 3790),
    ("Gusseisentopf 5 l", "Cast-iron pot 5 l", 13900),
    ("Brotkasten Holz", "Wooden bread bin", 5490),
    ("Stehlampe Esche", "Floor lamp, ash", 17900),
    ("Bücherregal Eiche", "Bookcase, oak", 38900),
    ("Beistelltisch", "Side table", 9490),
    ("Jute-Teppich 160 × 230", "Jute rug 160 × 230", 12900),
    ("Wanduhr", "Wall clock", 4990),
    ("Einmachgläser, 12 Stück", "Preserving jars, set of 12", 2890),
];

/// The smallest and the largest invoice, cents.
pub(crate) const RANGE: (u32, u32) = (990, 89_000);

/// What was bought, and for how much.
pub(crate) struct Basket {
    /// For the invoice, in the debtor's language.
    pub(crate) description: String,
    /// Gross, within [`RANGE`].
    pub(crate) cents: u32,
}

/// One to three articles; businesses (`bulk`) buy several of a kind.
pub(crate) fn basket(dice: &mut Dice, english: bool, bulk: bool) -> Basket {
    let wanted = match dice.below(10) {
        0..6 => 1,
        6..9 => 2,
        _ => 3,
    };
    let (mut parts, mut cents) = (Vec::new(), 0);
    let mut shelf: Vec<usize> = (0..GOODS.len()).collect();
    dice.shuffle(&mut shelf);
    for &article in &shelf {
        let (german, english_name, price) = GOODS[article];
        let pieces = if bulk { dice.between(1, 4) } else { 1 };
        let Some(pieces) = (1..=pieces).rev().find(|n| cents + n * price <= RANGE.1) else {
            continue;
        };
        let name = if english { english_name } else { german };
        parts.push(match pieces {
            1 => name.to_owned(),
            _ => format!("{pieces} × {name}"),
        });
        cents += pieces * price;
        if parts.len() == wanted {
            break;
        }
    }
    Basket { description: parts.join(" · "), cents }
}

/// Cents as the contract wants them: `35.00`.
pub(crate) fn euros(cents: u32) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
